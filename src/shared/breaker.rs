//! Leaves a store that is down alone for a while.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// This many failures in a row are an outage.
const FAILURES: u32 = 2;

/// How long a store that is down is left alone. Then one operation may try it.
const OPEN: Duration = Duration::from_secs(5);

/// Times are those of the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Duration,
}

impl Breaker {
    /// Whether the store may be tried. Of many that ask after a pause, one may.
    pub(super) fn permits(&self, now: Duration) -> bool {
        self.with(|state| {
            if state.failures < FAILURES {
                return true;
            }
            let permits = now >= state.open_until;
            if permits {
                state.open_until = now + OPEN;
            }
            permits
        })
    }

    pub(super) fn succeeded(&self) {
        self.with(|state| *state = State::default());
    }

    pub(super) fn failed(&self, now: Duration) {
        self.with(|state| {
            state.failures = state.failures.saturating_add(1);
            state.open_until = now + OPEN;
        });
    }

    fn with<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        step(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_failures_open_it_for_five_seconds_and_one_may_try_then() {
        let (breaker, at) = (Breaker::default(), Duration::from_secs);
        breaker.failed(at(1));
        assert!(breaker.permits(at(1)));
        breaker.failed(at(1));
        assert!(!breaker.permits(at(5)));
        assert!(breaker.permits(at(6)));
        assert!(!breaker.permits(at(6)));
        breaker.succeeded();
        assert!(breaker.permits(at(6)) && breaker.permits(at(6)));
    }
}
