//! Drives a fetch: the wait before it and its attempts.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tower::{Service, util::BoxService};

use super::{
    Fetch, Outcome,
    drivers::{Begun, Driver, Driving, Progress},
};
use crate::{
    error::{BoxError, FetchError},
    lifecycle::{
        bound::{ATTEMPT_GRACE, Bound, FETCH_GRACE, TICK},
        clock::Now,
        core::Core,
        endpoint::Permit,
        prepared::PreparedToken,
        status::AtomicCounters,
        sync::time,
        telemetry,
    },
    token::{Token, TokenRequest},
    unwind::caught,
};

/// The user's fetcher with its type erased. It is `Send`, and neither `Clone` nor `Sync`.
pub(crate) type Fetcher = BoxService<TokenRequest, Token, BoxError>;

/// A call of the fetcher that is under way.
type Call = <Fetcher as Service<TokenRequest>>::Future;

/// The waits before the attempts that follow an expired token, whatever number of attempts the policy allows. An
/// endpoint that caches a token until its end returns it for up to a second after its last whole second; an endpoint
/// that caches it a second too long, for up to two. At most two attempts fall into one second.
const WAITS_FOR_LIFE: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// How long to wait while another driver uses the fetcher.
const OCCUPIED: Duration = Duration::from_millis(50);

/// A task that drives a fetch.
///
/// # Invariants
///
/// 1. Every fetch ends: it is lost if its driver is dropped, or if the last task that could have begun is dropped.
/// 2. A driver changes the cell, the state and the fetch's outcome only in a step that found it driving, or after such
///    a step. A replaced driver changes nothing and makes no further attempt.
/// 3. The fetcher is locked for one poll, never across an await. A driver that is no longer polled does not hold the
///    lock. A driver that is stuck inside the fetcher's code does, and then no driver can go on.
pub(super) struct FetchTask {
    pub(super) core: Arc<Core>,
    pub(super) fetch: Arc<Fetch>,
    /// `None` until it has begun.
    driver: Option<Driver>,
    pub(super) progress: Progress,
    /// [`Core::basis`] before the last attempt.
    basis: u64,
    /// The token endpoint's permission for the next attempt.
    permit: Option<Permit>,
    last_failure: Option<FetchError>,
    rng: fastrand::Rng,
}

pub(super) enum Failure {
    Fetch(FetchError),
    /// The fetcher's `poll_ready` failed: by Tower's contract it must not be called again.
    Closed(BoxError),
    Panicked,
    /// The driver was replaced, or the fetch has ended: there is nothing left to do.
    Replaced,
}

impl FetchTask {
    pub(super) fn new(core: Arc<Core>, fetch: Arc<Fetch>) -> Self {
        let rng = core.step(|state| state.fork_rng());
        Self {
            core,
            fetch,
            driver: None,
            progress: Progress::default(),
            basis: 0,
            permit: None,
            last_failure: None,
            rng,
        }
    }

    pub(super) async fn run(mut self) {
        let begin = |driving: &mut Driving| driving.begin();
        let begun = self
            .core
            .step(|state| state.driving(&self.fetch).and_then(begin));
        if let Some(begun) = begun {
            self.drive(begun).await;
        }
    }

    async fn drive(&mut self, begun: Begun) {
        let (core, driver) = (self.core.clone(), begun.driver);
        self.driver = Some(driver.clone());
        self.progress = begun.progress;
        let mut delay = begun.start.saturating_sub(core.now().monotonic);
        if !begun.has_started {
            let first = self.first_turn(std::mem::take(&mut delay));
            match beating(&core, &driver, Duration::MAX, first).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    return self.finish(&driver, Err(Failure::Fetch(error)), core.now());
                }
                Err(_) => return,
            }
        }
        let Some((is_first, bound)) = core.step(|state| Some(state.driven_by(&driver)?.start()))
        else {
            return;
        };
        if is_first {
            core.counters.count_fetch(self.fetch.cause);
        }
        let started = core.now();
        let result = match beating(&core, &driver, bound, self.attempts(delay)).await {
            Ok(result) => result,
            Err(Stopped::OutOfTime) => Err(Failure::Fetch(self.out_of_time())),
            Err(Stopped::Replaced) => return,
        };
        self.finish(&driver, result, started);
    }

    /// Waits until the first attempt may be made. It is not bounded: the queue of the token endpoint may be long.
    async fn first_turn(&mut self, delay: Duration) -> Result<(), FetchError> {
        wait(delay).await;
        self.admit().await
    }

    /// Gets the token endpoint's permission for an attempt.
    async fn admit(&mut self) -> Result<(), FetchError> {
        let core = &self.core;
        if let (Some(endpoint), None) = (&core.config.endpoint, &self.permit) {
            let admitted = endpoint.admit(&core.config.policy, || core.usable_for());
            self.permit = Some(admitted.await?);
        }
        Ok(())
    }

    /// Makes attempts until one succeeds, one fails for a reason that a further attempt cannot fix, or none is left.
    /// `delay` is what is left of the wait of a replaced driver.
    async fn attempts(&mut self, delay: Duration) -> Result<PreparedToken, Failure> {
        wait(delay).await;
        loop {
            // A panic of the fetcher is caught where it happens. A panic from elsewhere that ends the task (an
            // unwinding thread drops the runtime) is not the fetcher's fault: the fetch is lost.
            let attempted = caught(self.attempt()).await;
            let error = match attempted.unwrap_or(Err(Failure::Panicked)) {
                Err(Failure::Fetch(error)) => error,
                ended => return ended,
            };
            let Some(pause) = self.pause_after(&error).await else {
                return Err(Failure::Fetch(error));
            };
            telemetry::attempt_failed(self.progress.attempts, &error, pause);
            self.last_failure = Some(error);
            self.note_wait(pause);
            wait(pause).await;
        }
    }

    async fn attempt(&mut self) -> Result<PreparedToken, Failure> {
        // Not bounded by the attempt's time-out: a rate limit around the fetcher may take longer.
        let (anchor, call) = self.call().await?;
        let timeout = self.core.config.policy.timeouts.attempt;
        let bound = Bound::new(&self.core.config.clock, timeout, ATTEMPT_GRACE);
        let token = match bound.run(call).await {
            Ok(answer) => answer.map_err(FetchError::from_fetcher),
            Err(_) => Err(self.core.timed_out("timeouts.attempt", timeout)),
        };
        if let Some(permit) = self.permit.take() {
            let source = Arc::as_ptr(&self.core).addr();
            permit.ended(source, &token, &self.core.config.policy);
        }
        token
            .and_then(|token| self.core.prepare(token, anchor, self.basis, &mut self.rng))
            .map_err(Failure::Fetch)
    }

    /// Calls the fetcher as soon as it is ready, and returns when that was.
    async fn call(&mut self) -> Result<(Now, Call), Failure> {
        loop {
            self.admit().await.map_err(Failure::Fetch)?;
            match poll_fn(|cx| self.poll_call(cx)).await {
                Some(called) => return called,
                None => time::sleep(OCCUPIED).await,
            }
        }
    }

    /// `None`: a replaced driver is still inside the fetcher, or the token endpoint's permission has lapsed.
    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(Now, Call), Failure>>> {
        let core = self.core.clone();
        let Some(mut place) = core.fetcher.try_lock() else {
            return Poll::Ready(None);
        };
        let Some(fetcher) = place.as_mut() else {
            return Poll::Ready(Some(Err(Failure::Replaced)));
        };
        if let Err(error) = ready!(fetcher.poll_ready(cx)) {
            return Poll::Ready(Some(Err(Failure::Closed(error))));
        }
        if self.permit.as_ref().is_some_and(|permit| !permit.renew()) {
            self.permit = None; // the fetcher took too long to be ready
            return Poll::Ready(None);
        }
        // Just before the request is sent: a slow answer must not lengthen the token's life.
        let anchor = core.now();
        let called = self
            .request(anchor)
            .map(|request| (anchor, fetcher.call(request)));
        Poll::Ready(Some(called))
    }

    /// The request of the next attempt, if this driver may still make one.
    fn request(&mut self, anchor: Now) -> Result<TokenRequest, Failure> {
        let retry_now = self.driver.as_ref().and_then(|driver| {
            self.core.step(|state| {
                state.driven_by(driver)?;
                Some(state.take_retry_now())
            })
        });
        let retry_now = retry_now.ok_or(Failure::Replaced)?;
        if let Some(certificate) = &self.core.config.certificate {
            certificate.watch();
        }
        self.basis = self.core.basis();
        self.progress.attempts += 1;
        AtomicCounters::count(&self.core.counters.attempts);
        let (attempt, cause) = (self.progress.attempts, self.fetch.cause);
        let mut request = TokenRequest::new(attempt, cause, anchor.wall_time());
        if let Some(current) = self.core.cell.get() {
            request = request.with_previous(current.token.clone());
        }
        Ok(match retry_now {
            true => request.with_retry_now(),
            false => request,
        })
    }

    /// Records a wait, for a driver that takes over meanwhile: it must not shorten a `Retry-After`.
    fn note_wait(&self, pause: Duration) {
        let until = self.core.now().monotonic.saturating_add(pause);
        let Some(driver) = &self.driver else { return };
        self.core.step(|state| {
            if let Some(driving) = state.driven_by(driver) {
                driving.wait(self.progress, until);
            }
        });
    }

    /// How long to wait before the next attempt, if there is one.
    async fn pause_after(&mut self, error: &FetchError) -> Option<Duration> {
        match self.wait_after(error) {
            None if self.has_new_credential(error).await => Some(Duration::ZERO),
            wait => wait,
        }
    }

    /// Whether what was denied has been replaced meanwhile. Once in a fetch: a credential that differs at every look
    /// must not become a loop.
    async fn has_new_credential(&mut self, error: &FetchError) -> bool {
        if !error.is_denial() || self.progress.with_new_credential {
            return false;
        }
        self.progress.with_new_credential = self.core.credential_changed().await;
        self.progress.with_new_credential
    }

    /// How long to wait before the next attempt for what the error says, if there is one.
    fn wait_after(&mut self, error: &FetchError) -> Option<Duration> {
        let policy = &self.core.config.policy;
        let Progress {
            attempts,
            without_life,
            ..
        } = self.progress;
        let counted = attempts.saturating_sub(without_life);
        if error.is_without_life() {
            return match error.retry_after() {
                Some(wait) => (counted < policy.retry.attempts.max(2)).then_some(wait),
                None => self.wait_for_life(),
            };
        }
        if counted >= policy.retry.attempts || !error.may_retry_within_fetch() {
            return None;
        }
        match error.retry_after() {
            None => Some(policy.wait_between_attempts(counted, self.rng.f64())),
            Some(asked) if asked <= policy.retry.max_retry_after_in_fetch => {
                Some(policy.believed_retry_after(asked, self.rng.f64()))
            }
            Some(_) => None,
        }
    }

    /// How long to wait before the next attempt after an expired token.
    fn wait_for_life(&mut self) -> Option<Duration> {
        let wait = WAITS_FOR_LIFE.get(self.progress.without_life as usize)?;
        self.progress.without_life += 1;
        Some(*wait)
    }

    /// The fetch's own bound passed. The error of its last attempt says more, if there is one.
    fn out_of_time(&mut self) -> FetchError {
        let bound = self.core.config.policy.timeouts.fetch;
        let timed_out = || self.core.timed_out("timeouts.fetch", bound);
        self.last_failure.take().unwrap_or_else(timed_out)
    }
}

/// Why a part of a driver's work ended early.
enum Stopped {
    OutOfTime,
    Replaced,
}

/// Does a part of a driver's work, for at most `bound`, and beats, so that waiters see that the driver is alive.
async fn beating<F: Future>(
    core: &Core,
    driver: &Driver,
    bound: Duration,
    work: F,
) -> Result<F::Output, Stopped> {
    let mut bound = Bound::new(&core.config.clock, bound, FETCH_GRACE);
    let mut work = pin!(work);
    while !bound.is_over() {
        if let Some(output) = bound.tick(TICK, work.as_mut()).await {
            return Ok(output);
        }
        let beat = |driving: &mut Driving| driving.beat(bound.left());
        core.step(|state| state.driven_by(driver).map(beat))
            .ok_or(Stopped::Replaced)?;
    }
    Err(Stopped::OutOfTime)
}

/// A timer takes a millisecond even for a zero wait, and most fetches do not wait.
async fn wait(duration: Duration) {
    if !duration.is_zero() {
        time::sleep(duration).await;
    }
}

impl Drop for FetchTask {
    fn drop(&mut self) {
        let lost = self.core.step(|state| {
            let is_lost = match &self.driver {
                Some(driver) => state.driven_by(driver).is_some(),
                None => state.driving(&self.fetch).is_some_and(Driving::miss_task),
            };
            if is_lost {
                state.lost();
            }
            is_lost
        });
        if lost {
            self.tell(Outcome::Lost);
        }
    }
}
