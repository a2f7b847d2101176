//! The decisions of a source under its lock: whether a fetch may start, what a rejection means, what the end of a fetch
//! changes.
//!
//! Everything here is a function of the state and of `now`. No clock is read, nothing is awaited, and no user's code
//! runs: the lock around it is held for nanoseconds.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    cell::{Issued, TokenState},
    clock::Now,
    core::Installed,
    fetch::{Driver, Driving, Fetch},
    restraint::{Bucket, Suspicion},
    sync::AbortHandle,
};
use crate::{
    error::{FailureClass, OAuthError, Reason},
    policy::Policy,
    rejection::Rejection,
    token::{FetchCause, Generation},
};

/// What an idle source does not need is in a box of its own: there may be many sources.
///
/// # Invariants
///
/// 1. At most one fetch is under way, and at most one driver's work on it counts: a driver writes only in a step that
///    has found it [driving](State::driven_by).
/// 2. Every fetch that starts ends in exactly one of [`succeeded`](State::succeeded), [`failed`](State::failed),
///    [`lost`](State::lost) or [`fetcher_closed`](State::fetcher_closed), which let the next one start.
pub(crate) struct State {
    slot: Slot,
    /// The last fetch's failure, until a fetch succeeds.
    failed: Option<Box<FailedFetch>>,
    /// Values that a step has removed, to be dropped without the lock.
    ended: Option<Box<FailedFetch>>,
    last_success: Option<SystemTime>,
    last_duration: Option<Duration>,
    /// Failed fetches in a row since the last `retry_now`. The back-off grows with it.
    failures: u32,
    /// The start of the last fetch, on the monotonic clock; it may lie a little ahead.
    last_start: Option<Duration>,
    last_generation: u64,
    /// `None` before the first draw.
    bucket: Option<Box<Bucket>>,
    /// Whether the fetch under way was drawn from the bucket.
    drew: bool,
    suspicion: Option<Box<Suspicion>>,
    /// The last token, if it was fetched because of a definite rejection.
    replacement: Option<Generation>,
    /// Until when, on the monotonic clock, requests wait for the replacement of the token that was suspended last.
    suspended_until: Duration,
    shut_down: Option<OAuthError>,
    /// `retry_now` was called since the last attempt.
    retry_now: bool,
    rng: fastrand::Rng,
}

enum Slot {
    Idle,
    Fetching(Box<Driving>),
    Closed(OAuthError),
}

/// A failure stays after its back-off, so that a health page that is read seldom shows it too.
#[derive(Clone, Debug)]
pub(crate) struct FailedFetch {
    pub(crate) at: SystemTime,
    pub(crate) error: OAuthError,
    /// How many fetches have failed since one succeeded, this one included.
    pub(crate) consecutive: u32,
    /// No attempt before this moment, on the monotonic clock only: a wall clock that steps must not shorten a wait.
    pub(crate) until: Duration,
}

/// The answer to a request for a fetch.
pub(crate) enum FetchGrant {
    /// One is under way.
    Joined(Arc<Fetch>),
    /// The caller must spawn it.
    Granted(Arc<Fetch>),
    /// None may be started, for this reason.
    Denied(OAuthError),
}

/// A response that rejects the token it was sent with.
pub(crate) struct RejectedResponse {
    pub(crate) generation: Generation,
    pub(crate) rejection: Rejection,
    /// When a request with this token last succeeded, on the monotonic clock, if that was recorded.
    pub(crate) last_success: Duration,
    /// Whether a request with this token has succeeded, if that was recorded.
    pub(crate) accepted: bool,
}

/// A fetch that ended before it was done.
pub(crate) struct Stopped {
    pub(crate) fetch: Arc<Fetch>,
    /// The tasks that were spawned for it.
    pub(crate) tasks: Vec<AbortHandle>,
}

/// What to do about a rejected request.
pub(crate) enum Remedy {
    /// The caller gets the response.
    HandOn,
    /// There is a newer generation, or soon will be: retry with it.
    Newer,
    /// The fetch that may bring a newer one.
    Fetch(FetchGrant),
}

impl State {
    pub(crate) fn new(rng: fastrand::Rng) -> Self {
        Self {
            slot: Slot::Idle,
            failed: None,
            ended: None,
            last_success: None,
            last_duration: None,
            failures: 0,
            last_start: None,
            last_generation: 0,
            bucket: None,
            drew: false,
            suspicion: None,
            replacement: None,
            suspended_until: Duration::ZERO,
            shut_down: None,
            retry_now: false,
            rng,
        }
    }

    /// Joins the fetch under way, or starts one if that is allowed.
    pub(crate) fn grant_fetch(
        &mut self,
        cause: FetchCause,
        now: Now,
        policy: &Policy,
    ) -> FetchGrant {
        if let Some(error) = self.blocked(now) {
            return FetchGrant::Denied(error);
        }
        match &self.slot {
            Slot::Fetching(driving) => FetchGrant::Joined(driving.fetch().clone()),
            Slot::Closed(error) => FetchGrant::Denied(error.clone()),
            Slot::Idle => {
                let fetch = Arc::new(Fetch::new(cause));
                let start = self.take_start(now.monotonic, policy);
                let driving = Driving::new(fetch.clone(), start, policy.timeouts.fetch);
                self.slot = Slot::Fetching(Box::new(driving));
                FetchGrant::Granted(fetch)
            }
        }
    }

    /// When the next fetch may start, to keep its distance from the one before. A start in the future belongs to a
    /// fetch that was lost before its first attempt.
    fn take_start(&mut self, now: Duration, policy: &Policy) -> Duration {
        let earliest = self.last_start.map_or(Duration::ZERO, |start| {
            start
                .min(now)
                .saturating_add(policy.back_off.min_fetch_interval)
        });
        let start = earliest.max(now);
        self.last_start = Some(start);
        start
    }

    /// Why no fetch may be started or joined: the source is closed, or it is backing off. (During a back-off there is
    /// no fetch.)
    pub(crate) fn blocked(&self, now: Now) -> Option<OAuthError> {
        if let Some(error) = &self.shut_down {
            return Some(error.clone());
        }
        if let Slot::Closed(error) = &self.slot {
            return Some(error.clone());
        }
        self.backing_off(now).map(|failed| failed.error.clone())
    }

    pub(crate) fn backing_off(&self, now: Now) -> Option<&FailedFetch> {
        let failed = self.failed.as_deref();
        failed.filter(|failed| now.monotonic < failed.until)
    }

    /// Whether the source still backs off until then, and is to.
    pub(crate) fn backs_off_until(&self, until: Duration, now: Now) -> bool {
        let lasts = |failed: &FailedFetch| failed.until == until;
        self.shut_down.is_none() && self.backing_off(now).is_some_and(lasts)
    }

    pub(crate) fn end_back_off(&mut self) {
        if let Some(failed) = &mut self.failed {
            failed.until = Duration::ZERO;
        }
        self.failures = 0;
        self.retry_now = true;
    }

    /// Whether the user ended a back-off since the last attempt.
    pub(crate) fn take_retry_now(&mut self) -> bool {
        std::mem::take(&mut self.retry_now)
    }

    pub(crate) fn last_failure(&self) -> Option<&FailedFetch> {
        self.failed.as_deref()
    }

    pub(crate) fn last_success(&self) -> Option<SystemTime> {
        self.last_success
    }

    /// How long the last fetch took that succeeded or failed.
    pub(crate) fn last_duration(&self) -> Option<Duration> {
        self.last_duration
    }

    /// The values that the last step has removed, to be dropped without the lock.
    pub(crate) fn take_ended(&mut self) -> Option<Box<FailedFetch>> {
        self.ended.take()
    }

    /// Decides what follows from a rejection. Only the generation that was rejected changes.
    pub(crate) fn rejected(
        &mut self,
        current: &Issued,
        response: &RejectedResponse,
        now: Now,
        policy: &Policy,
    ) -> Remedy {
        let rejection = response.rejection;
        if current.generation != response.generation {
            return Remedy::Newer;
        }
        if self.blocked(now).is_some() {
            return Remedy::HandOn;
        }
        // Only starting a fetch is limited, not joining one.
        if !self.is_fetching() && !self.may_fetch(current, response, now, policy) {
            return Remedy::HandOn;
        }
        if rejection == Rejection::Definite && current.token_state() == TokenState::Good {
            self.suspend(current, response.accepted, now, policy);
        }
        let cause = match rejection {
            Rejection::Definite => FetchCause::Rejected,
            Rejection::Ambiguous => FetchCause::MaybeRejected,
        };
        Remedy::Fetch(self.grant_fetch(cause, now, policy))
    }

    /// A token that was fetched because of a rejection, and that other requests were accepted with, is not to blame:
    /// one route rejects whatever it gets. The others do not wait for the replacement.
    fn suspend(&mut self, current: &Issued, accepted: bool, now: Now, policy: &Policy) {
        if accepted && self.replacement == Some(current.generation) {
            current.set_token_state(TokenState::Restored);
            return;
        }
        current.set_token_state(TokenState::Suspended);
        self.suspended_until = now
            .monotonic
            .saturating_add(policy.rejection.suspended_wait);
    }

    /// How long requests still wait for the suspended token's replacement.
    pub(crate) fn suspension_left(&self, now: Now) -> Duration {
        self.suspended_until.saturating_sub(now.monotonic)
    }

    fn may_fetch(
        &mut self,
        current: &Issued,
        response: &RejectedResponse,
        now: Now,
        policy: &Policy,
    ) -> bool {
        // After an endpoint repeated a rejected token, fetches are as rare as for an ambiguous rejection.
        let ambiguous = response.rejection == Rejection::Ambiguous
            || current.token_state() == TokenState::Repeated;
        match &mut self.suspicion {
            Some(suspicion) if ambiguous => {
                suspicion.rejected(now.monotonic, response.last_success, policy)
            }
            None if ambiguous => true,
            _ => {
                let full = || Box::new(Bucket::new(policy));
                let bucket = self.bucket.get_or_insert_with(full);
                self.drew = bucket.draw(now.monotonic);
                self.drew
            }
        }
    }

    /// The fetch under way, if it is this one.
    pub(crate) fn driving(&mut self, fetch: &Arc<Fetch>) -> Option<&mut Driving> {
        match &mut self.slot {
            Slot::Fetching(driving) if Arc::ptr_eq(driving.fetch(), fetch) => Some(driving),
            _ => None,
        }
    }

    /// The fetch under way, if this driver drives it.
    pub(crate) fn driven_by(&mut self, driver: &Driver) -> Option<&mut Driving> {
        match &mut self.slot {
            Slot::Fetching(driving) if driving.is_driven_by(driver) => Some(driving),
            _ => None,
        }
    }

    /// Randomness for a driver.
    pub(crate) fn fork_rng(&mut self) -> fastrand::Rng {
        self.rng.fork()
    }

    /// Ends a fetch that brought a token.
    pub(crate) fn succeeded(
        &mut self,
        cause: FetchCause,
        installed: &Installed,
        now: Now,
        policy: &Policy,
    ) {
        let generation = installed.issued.generation;
        self.slot = Slot::Idle;
        self.drew = false;
        self.failures = 0;
        self.ended = self.failed.take();
        self.last_success = Some(now.wall_time());
        self.last_duration = self.duration(now);
        self.last_generation = self.last_generation.max(generation.get());
        if !installed.repeated {
            self.replacement = (cause == FetchCause::Rejected).then_some(generation);
        }
        let suspicion = self.suspicion.take();
        let wait = suspicion
            .as_ref()
            .map_or(policy.rejection.suspicion.first, |it| it.wait());
        let suspicion = match (cause, installed.repeated) {
            (FetchCause::Rejected | FetchCause::MaybeRejected, true) => {
                Some(Suspicion::confirmed(generation, wait, now.monotonic))
            }
            (FetchCause::MaybeRejected, false) => Some(Suspicion::probation(generation, wait)),
            (FetchCause::Rejected, false) => None,
            // A doubt that was not confirmed in a token's whole life ends with it.
            _ => suspicion
                .filter(|it| it.is_confirmed())
                .map(|it| it.inherited_by(generation)),
        };
        self.suspicion = suspicion.map(Box::new);
    }

    /// Ends a fetch that failed. Returns the length of the back-off.
    pub(crate) fn failed(&mut self, reason: &Reason, policy: &Policy) -> Duration {
        self.lost();
        if let Some(wait) = reason.look_again_after() {
            return wait; // another client's or replica's failure: it counts there
        }
        let class = reason.class().unwrap_or(FailureClass::Unclear);
        self.failures = self.failures.saturating_add(1);
        let own = policy.back_off(class, self.failures, self.rng.f64());
        let asked = reason
            .retry_after()
            .map(|asked| policy.believed_retry_after(asked, self.rng.f64()));
        own.max(asked.unwrap_or_default())
    }

    /// Returns until when, on the monotonic clock.
    pub(crate) fn back_off(&mut self, now: Now, wait: Duration, error: OAuthError) -> Duration {
        let consecutive = self.failed.as_ref().map_or(0, |failed| failed.consecutive);
        self.last_duration = self.duration(now);
        let until = now.monotonic.saturating_add(wait);
        self.ended = self.failed.replace(Box::new(FailedFetch {
            at: now.wall_time(),
            error,
            consecutive: consecutive.saturating_add(1),
            until,
        }));
        until
    }

    fn duration(&self, now: Now) -> Option<Duration> {
        let start = self.last_start?;
        Some(now.monotonic.saturating_sub(start))
    }

    /// Ends a fetch without an outcome. The next one may start.
    pub(crate) fn lost(&mut self) {
        self.slot = Slot::Idle;
        if std::mem::take(&mut self.drew)
            && let Some(bucket) = &mut self.bucket
        {
            bucket.give_back();
        }
    }

    /// The fetcher's `poll_ready` failed: it is closed for good.
    pub(crate) fn fetcher_closed(&mut self, now: Now, error: OAuthError) {
        self.back_off(now, Duration::ZERO, error.clone());
        self.slot = Slot::Closed(error);
    }

    /// Prevents new fetches. The fetch under way is lost, and is returned with its tasks.
    pub(crate) fn shut_down(&mut self, error: OAuthError) -> Option<Stopped> {
        self.shut_down.get_or_insert(error);
        let Slot::Fetching(driving) = &mut self.slot else {
            return None;
        };
        let stopped = Stopped {
            fetch: driving.fetch().clone(),
            tasks: driving.take_tasks(),
        };
        self.lost();
        Some(stopped)
    }

    /// The fetch under way.
    pub(crate) fn under_way(&self) -> Option<Arc<Fetch>> {
        match &self.slot {
            Slot::Fetching(driving) => Some(driving.fetch().clone()),
            Slot::Idle | Slot::Closed(_) => None,
        }
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.is_some()
    }

    /// Whether the fetch under way has not begun its attempts.
    pub(crate) fn waits_to_start(&self) -> bool {
        matches!(&self.slot, Slot::Fetching(driving) if !driving.has_started())
    }

    pub(crate) fn is_fetching(&self) -> bool {
        matches!(self.slot, Slot::Fetching(_))
    }

    pub(crate) fn next_generation(&self) -> Generation {
        Generation(self.last_generation + 1)
    }

    /// The generation whose successes are worth recording.
    pub(crate) fn suspect(&self) -> Option<Generation> {
        self.suspicion
            .as_ref()
            .filter(|suspicion| suspicion.is_confirmed())
            .map(|suspicion| suspicion.generation)
    }

    /// The last token's generation, if it was fetched because of a definite rejection. Its first success is recorded.
    pub(crate) fn replacement(&self) -> Option<Generation> {
        self.replacement
    }

    /// No refresh can start before this moment, on the monotonic clock.
    pub(crate) fn refresh_closed_until(&self) -> Duration {
        if self.shut_down.is_some() || !matches!(self.slot, Slot::Idle) {
            return Duration::MAX;
        }
        self.failed
            .as_ref()
            .map_or(Duration::ZERO, |failed| failed.until)
    }
}
