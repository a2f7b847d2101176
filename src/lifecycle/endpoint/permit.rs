use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time};

use super::{
    Shared, TokenEndpoint,
    said::Said,
    state::{Bounds, Place, SourceId, Turn, UnderWay},
};
use crate::{
    error::FetchError,
    lifecycle::{bound::ATTEMPT_GRACE, telemetry},
    policy::Policy,
    token::Token,
};

/// The longest time between two looks at the state: one that is not woken looks by itself.
const LOOK: Duration = Duration::from_secs(1);

/// Permission for one attempt. Dropped without a report, it says nothing about the endpoint.
pub(in crate::lifecycle) struct Permit {
    endpoint: Arc<Shared>,
    attempt: Option<UnderWay>,
    /// How long the attempt may take.
    bound: Duration,
}

/// A place in the queue, which is given up when it is dropped.
struct Waiter<'a> {
    endpoint: &'a Arc<Shared>,
    wake: Arc<Notify>,
    arrived: Duration,
    place: Place,
}

impl TokenEndpoint {
    /// Waits for the permission to make an attempt. `usable_for` returns how long requests can still use the current token.
    ///
    /// # Errors
    ///
    /// Fails while a pause is longer than the policy lets a fetch wait.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the queue.
    pub(in crate::lifecycle) async fn admit(
        &self,
        policy: &Policy,
        usable_for: impl Fn() -> Duration,
    ) -> Result<Permit, FetchError> {
        let longest = policy.retry.max_retry_after_in_fetch;
        let bounds = Bounds {
            // A wait that was asked for is lengthened by up to a tenth.
            patience: longest.saturating_add(longest / 10),
            attempt: policy.timeouts.attempt.saturating_add(ATTEMPT_GRACE),
        };
        let mut waiter = Waiter::new(&self.0, usable_for());
        loop {
            let wait = match waiter.turn(bounds, usable_for()) {
                Turn::Now(attempt) => return Ok(Permit::new(&self.0, attempt, bounds.attempt)),
                Turn::HeldBack(why, left) => return Err(FetchError::held_back(why, left)),
                Turn::Later(wait) => wait.min(LOOK),
            };
            let _ = time::timeout(wait, waiter.wake.notified()).await;
        }
    }
}

impl<'a> Waiter<'a> {
    fn new(endpoint: &'a Arc<Shared>, usable_for: Duration) -> Self {
        let wake = Arc::new(Notify::new());
        let arrived = endpoint.clock.now().monotonic;
        let due = arrived.saturating_add(usable_for);
        let place = endpoint.state().enter(due, wake.clone());
        Self {
            endpoint,
            wake,
            arrived,
            place,
        }
    }

    fn turn(&mut self, bounds: Bounds, usable_for: Duration) -> Turn {
        let now = self.endpoint.clock.now().monotonic;
        let mut state = self.endpoint.state();
        if usable_for.is_zero() {
            self.place = state.hurry(self.place, self.arrived);
        }
        state.turn(self.place, now, bounds)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.endpoint.state().leave(self.place);
    }
}

impl Permit {
    fn new(endpoint: &Arc<Shared>, attempt: UnderWay, bound: Duration) -> Self {
        Self {
            endpoint: endpoint.clone(),
            attempt: Some(attempt),
            bound,
        }
    }

    /// Whether the attempt may be sent now. If not, get another permit.
    pub(in crate::lifecycle) fn renew(&self) -> bool {
        let now = self.endpoint.clock.now().monotonic;
        let renewed = |attempt| self.endpoint.state().renew(attempt, now, self.bound);
        self.attempt.is_some_and(renewed)
    }

    /// Reports how the attempt ended.
    pub(in crate::lifecycle) fn ended(
        mut self,
        source: SourceId,
        answer: &Result<Token, FetchError>,
        policy: &Policy,
    ) {
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        let now = self.endpoint.clock.now();
        let begins = {
            let mut state = self.endpoint.state();
            let said = Said::of(answer, policy, state.draw());
            state.ended(attempt, source, said, now.monotonic)
        };
        if let Some(pause) = begins {
            let wait = pause.until.saturating_sub(now.monotonic);
            telemetry::endpoint_paused(&self.endpoint.name, &pause.why, wait);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            let now = self.endpoint.clock.now().monotonic;
            self.endpoint.state().dropped(attempt, now);
        }
    }
}
