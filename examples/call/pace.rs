//! When the next request may start, and whether there is one.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::args::LoadArgs;

/// How far requests may catch up after a pause. A timer wakes up to a millisecond late; a bank that was slow for a
/// minute must not be hit with a minute's requests at once.
const CATCH_UP: Duration = Duration::from_millis(10);

pub(crate) struct Pace {
    period: Duration,
    ends: Option<Instant>,
    state: Mutex<State>,
}

struct State {
    next: Instant,
    left: Option<u64>,
}

impl Pace {
    pub(crate) fn start(args: &LoadArgs) -> Self {
        let now = Instant::now();
        let period = args.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        Self {
            period: period.unwrap_or_default(),
            ends: args.duration.and_then(|duration| now.checked_add(duration)),
            state: Mutex::new(State {
                next: now,
                left: args.limit(),
            }),
        }
    }

    /// Takes the next place in the schedule; `None` when the load is done.
    pub(crate) fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = state.next.max(now.checked_sub(CATCH_UP).unwrap_or(now));
        if self.ends.is_some_and(|ends| slot.max(now) >= ends) {
            return None;
        }
        if let Some(left) = &mut state.left {
            *left = left.checked_sub(1)?;
        }
        state.next = slot + self.period;
        Some(slot)
    }
}
