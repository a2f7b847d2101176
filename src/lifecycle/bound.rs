//! Time-outs that allow for a process that was frozen.
//!
//! After a freeze (SIGSTOP, a paused virtual machine) the timer and the answer in the socket are ready at the same
//! moment. The timer is polled first, because the task that reads the socket has not run yet. A plain time-out would
//! then discard a good answer.

use std::{pin::pin, time::Duration};

use super::{clock::Clock, sync::time};

/// The longest time between two readings of the clock.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// A timer that fires this late was delayed by a freeze, or by a busy thread.
const FREEZE: Duration = Duration::from_millis(250);

/// The rest of an attempt's bound after a freeze: time to read an answer that has arrived.
pub(crate) const ATTEMPT_GRACE: Duration = Duration::from_secs(1);

/// The rest of a fetch's bound after a freeze: time for one more attempt if the token expired during the freeze.
pub(crate) const FETCH_GRACE: Duration = Duration::from_secs(2);

/// The rest of a waiter's bound after a freeze: time to see the outcome of the fetch.
pub(crate) const WAITER_GRACE: Duration = Duration::from_secs(3);

/// The bound passed.
#[derive(Debug)]
pub(crate) struct Passed;

/// The rest of a bound.
///
/// # Invariant
///
/// The bound still ends, because the grace is given once. A thread that is always busy, so that every timer is late,
/// lengthens a bound by one grace and one delay.
pub(crate) struct Bound<'a> {
    clock: &'a Clock,
    left: Duration,
    /// `None` after it was given.
    grace: Option<Duration>,
}

impl<'a> Bound<'a> {
    pub(crate) fn new(clock: &'a Clock, bound: Duration, grace: Duration) -> Self {
        Self {
            clock,
            left: bound,
            grace: Some(grace.min(bound)),
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.left
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left.is_zero()
    }

    /// Waits for a future until the next tick; `None` when that comes first.
    pub(crate) async fn tick<F: Future>(&mut self, tick: Duration, future: F) -> Option<F::Output> {
        let nap = tick.min(self.left);
        let started = self.clock.now().monotonic;
        let output = time::timeout(nap, future).await.ok();
        let took = self.clock.now().monotonic.saturating_sub(started);
        match output {
            Some(_) => self.spend(took, took.saturating_sub(nap)),
            // A timer that fires counts too: in tests with paused time, the source's clock may be a different one.
            None => self.spend(took.max(nap), took.saturating_sub(nap)),
        }
        output
    }

    /// Runs a future until the bound passes.
    pub(crate) async fn run<F: Future>(mut self, future: F) -> Result<F::Output, Passed> {
        let mut future = pin!(future);
        while !self.is_over() {
            if let Some(output) = self.tick(TICK, future.as_mut()).await {
                return Ok(output);
            }
        }
        Err(Passed)
    }

    fn spend(&mut self, took: Duration, late: Duration) {
        self.left = self.left.saturating_sub(took);
        if late >= FREEZE && self.grace.is_some_and(|grace| self.left < grace) {
            self.left = self.grace.take().unwrap_or_default();
        }
    }
}
