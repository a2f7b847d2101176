//! Drives one flight: the wait before it, its attempts, and its landing, whatever way it ends.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tower::{Service, ServiceExt};
use tracing::Instrument;

use super::{
    bound::{ATTEMPT_GRACE, FETCH_GRACE, bounded},
    clock::Now,
    core::{Core, retry_at},
    flight::{Flight, Outcome},
    prepared::PreparedToken,
    state::{Fetcher, NewFlight},
    status::Counters,
    sync::{runtime, time},
    telemetry,
};
use crate::{
    error::{BoxError, FailureClass, FetchError, OAuthError, OAuthErrorKind},
    token::{FetchCause, TokenRequest},
};

/// The waits before the attempts that follow a token without life, whatever number of attempts the policy allows. An
/// endpoint that keeps a token until its end hands it out for up to a second after its last whole second; one that keeps
/// it for a second too long, for up to two. No more than two attempts fall into one second.
const WAITS_FOR_LIFE: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// Launches a flight on the runtime at hand, as a task that the source owns.
///
/// # Errors
///
/// Without a runtime that takes the task; the flight is lost then, and the fetcher back in its place.
pub(crate) fn launch(core: &Arc<Core>, new_flight: NewFlight) -> Result<Arc<Flight>, OAuthError> {
    let flight = new_flight.flight.clone();
    let span = telemetry::fetch_span(core, new_flight.cause);
    let flight_task = FlightTask::new(core.clone(), new_flight);
    let Ok(runtime) = runtime::Handle::try_current() else {
        return Err(core.error(OAuthErrorKind::NoRuntime));
    };
    let task = runtime.spawn(flight_task.run().instrument(span));
    // Nobody can have aborted it yet: the runtime is shutting down, and waiting for it would never end.
    if flight.is_lost() {
        return Err(core.error(OAuthErrorKind::NoRuntime));
    }
    flight.driven_by(task.abort_handle());
    // Looked at only now: a shutdown from before this line may have found no task to abort.
    if core.step(|state| state.is_shut_down()) {
        flight.abort();
    }
    Ok(flight)
}

/// Holds the fetcher while a flight is under way.
///
/// # Invariant
///
/// A task lands its flight exactly once, and gives the fetcher back when it does: through [`land`](Self::land), or,
/// when its task is dropped, through `Drop`. Nobody waits for a flight that cannot land.
struct FlightTask {
    core: Arc<Core>,
    flight: Arc<Flight>,
    cause: FetchCause,
    delay: Duration,
    rng: fastrand::Rng,
    attempts: u32,
    /// Those of them that brought a token without life, and were followed by another for that reason.
    without_life: u32,
    last_failure: Option<FetchError>,
    /// `None` once the flight has landed.
    fetcher: Option<Fetcher>,
}

enum Failure {
    Fetch(FetchError),
    /// The fetcher's readiness failed: by Tower's contract it must not be called again.
    Closed(BoxError),
    Panicked,
}

impl FlightTask {
    fn new(core: Arc<Core>, new_flight: NewFlight) -> Self {
        Self {
            core,
            flight: new_flight.flight,
            cause: new_flight.cause,
            delay: new_flight.delay,
            rng: new_flight.rng,
            attempts: 0,
            without_life: 0,
            last_failure: None,
            fetcher: Some(new_flight.fetcher),
        }
    }

    async fn run(mut self) {
        wait(self.delay).await;
        let started = self.core.now();
        Counters::count(&self.core.counters.flights);
        if self.cause == FetchCause::Ahead {
            Counters::count(&self.core.counters.refreshes_ahead);
        }
        let core = self.core.clone();
        let bound = (core.policy.flight_timeout, FETCH_GRACE);
        let result = match bounded(&core.clock, bound, self.attempts()).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Fetch(self.out_of_time())),
        };
        self.land(result, started);
    }

    /// Attempts until one succeeds, one fails for a reason that another cannot cure, or there are no more.
    async fn attempts(&mut self) -> Result<PreparedToken, Failure> {
        loop {
            let error = match caught(self.attempt()).await {
                Err(Failure::Fetch(error)) => error,
                ended => return ended,
            };
            let Some(pause) = self.wait_after(&error) else {
                return Err(Failure::Fetch(error));
            };
            telemetry::attempt_failed(self.attempts, &error, pause);
            self.last_failure = Some(error);
            wait(pause).await;
        }
    }

    async fn attempt(&mut self) -> Result<PreparedToken, Failure> {
        let Some(fetcher) = &mut self.fetcher else {
            return Err(Failure::Panicked);
        };
        // Not bounded by the attempt's time-out: a rate limit around the fetcher may hold it back for longer.
        let fetcher = fetcher.ready().await.map_err(Failure::Closed)?;
        // Just before the request is sent: a slow answer must not lengthen the token's life.
        let anchor = self.core.now();
        self.attempts += 1;
        Counters::count(&self.core.counters.fetches);
        let request = TokenRequest::new(self.attempts, self.cause, anchor.wall_time());
        let bound = (self.core.policy.attempt_timeout, ATTEMPT_GRACE);
        let answer = bounded(&self.core.clock, bound, fetcher.call(request)).await;
        let token = match answer {
            Ok(answer) => answer.map_err(FetchError::from_fetcher),
            Err(_) => Err(FetchError::timed_out(
                "the token endpoint did not answer within attempt_timeout",
            )),
        };
        token
            .and_then(|token| self.core.prepare(token, anchor, &mut self.rng))
            .map_err(Failure::Fetch)
    }

    /// How long to wait before another attempt, if there is to be one.
    fn wait_after(&mut self, error: &FetchError) -> Option<Duration> {
        let policy = &self.core.policy;
        let counted = self.attempts - self.without_life;
        if error.is_without_life() {
            return match error.wait() {
                Some(wait) => (counted < policy.attempts.max(2)).then_some(wait),
                None => self.wait_for_life(),
            };
        }
        if counted >= policy.attempts || !error.may_retry_within_flight() {
            return None;
        }
        match error.wait() {
            None => Some(policy.wait_between_attempts(self.attempts, self.rng.f64())),
            Some(asked) if asked <= policy.max_retry_after_in_flight => {
                Some(policy.believed_retry_after(asked, self.rng.f64()))
            }
            Some(_) => None,
        }
    }

    /// How long to wait before another attempt after a token without life.
    fn wait_for_life(&mut self) -> Option<Duration> {
        let wait = WAITS_FOR_LIFE.get(self.without_life as usize)?;
        self.without_life += 1;
        Some(*wait)
    }

    /// The flight's own bound passed. What its last attempt failed with says more than that, if there was one.
    fn out_of_time(&mut self) -> FetchError {
        self.last_failure.take().unwrap_or_else(|| {
            FetchError::timed_out("the token endpoint did not answer within flight_timeout")
        })
    }

    fn land(&mut self, result: Result<PreparedToken, Failure>, started: Now) {
        let Some(fetcher) = self.fetcher.take() else {
            return;
        };
        // Also one that the flight's bound cut short, or that panicked.
        let failures = self.attempts - u32::from(result.is_ok());
        Counters::add(&self.core.counters.failures, failures);
        match result {
            Ok(prepared) => self.succeed(prepared, fetcher, started),
            Err(failure) => self.fail(failure, fetcher, started),
        }
    }

    /// Those who wait are told before the user's subscriber is, which may panic.
    fn tell(&self, outcome: Outcome) {
        self.flight.land(outcome);
        self.core.changes.send_replace(());
    }

    fn succeed(&self, prepared: PreparedToken, fetcher: Fetcher, started: Now) {
        let lifetime = prepared.lifetime();
        let (issued, repeated) = self.core.install(prepared, (fetcher, self.cause));
        self.tell(Outcome::Landed);
        let took = self.took(started);
        telemetry::fetched(self.attempts, issued.generation, lifetime, repeated, took);
    }

    fn fail(&self, failure: Failure, fetcher: Fetcher, started: Now) {
        let error = match failure {
            Failure::Closed(source) => self.close(source),
            Failure::Fetch(error) => {
                let class = error.class();
                let retry_after = error.wait();
                let kind = OAuthErrorKind::Fetch {
                    error,
                    attempts: self.attempts,
                };
                self.back_off(kind, (class, retry_after), fetcher)
            }
            Failure::Panicked => {
                let kind = OAuthErrorKind::FetcherPanicked;
                self.back_off(kind, (FailureClass::Unclear, None), fetcher)
            }
        };
        self.tell(Outcome::Failed(error.clone()));
        telemetry::fetch_failed(&error, self.took(started));
    }

    fn close(&self, source: BoxError) -> OAuthError {
        let error = self.core.error(OAuthErrorKind::FetcherClosed(source));
        self.core.step(|state| {
            state.fetcher_closed(error.clone());
            self.core.reinstate();
        });
        error
    }

    /// Puts the fetcher back and the back-off in force in one step: nobody can start a flight in between, nor have a
    /// newer token suspended, which would then be reinstated in place of the one that this flight was for.
    fn back_off(
        &self,
        kind: OAuthErrorKind,
        failure: (FailureClass, Option<Duration>),
        fetcher: Fetcher,
    ) -> OAuthError {
        let core = &self.core;
        let now = core.now();
        core.step(|state| {
            let wait = state.failed(fetcher, failure, &core.policy);
            let error =
                OAuthError::with_retry_at(core.name.clone(), kind, Some(retry_at(now, wait)));
            state.back_off(now.monotonic + wait, error.clone());
            core.reinstate();
            error
        })
    }

    fn took(&self, started: Now) -> Duration {
        self.core.now().monotonic.saturating_sub(started.monotonic)
    }
}

/// A timer takes a millisecond even for nothing, and most fetches have nothing to wait for.
async fn wait(duration: Duration) {
    if !duration.is_zero() {
        time::sleep(duration).await;
    }
}

/// Catches a panic of the fetcher's where it happens. A panic that ends the task from elsewhere (a runtime dropped by
/// an unwinding thread) is no fault of the fetcher's, and the flight is lost like any other.
async fn caught<T>(attempt: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut attempt = pin!(attempt);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(cx)))
            .unwrap_or(Poll::Ready(Err(Failure::Panicked)))
    })
    .await
}

impl Drop for FlightTask {
    fn drop(&mut self) {
        if let Some(fetcher) = self.fetcher.take() {
            self.core.step(|state| state.lost(fetcher));
            self.tell(Outcome::Lost);
        }
    }
}
