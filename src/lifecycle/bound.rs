//! Time-outs that are not believed right after the process stood still.
//!
//! After a freeze (SIGSTOP, a paused virtual machine) a timer and the answer in the socket are there in the same moment,
//! and the timer is looked at first: the task that reads the socket has not run yet. A time-out that is believed then
//! throws a good answer away.

use std::{pin::pin, time::Duration};

use super::{clock::Clock, sync::time};

/// The longest time between two looks at the clock.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// A timer that fires this much too late was held up by a freeze, or by a thread that was kept busy.
const FREEZE: Duration = Duration::from_millis(250);

/// What is left of an attempt's bound after a freeze, to read what has come.
pub(crate) const ATTEMPT_GRACE: Duration = Duration::from_secs(1);

/// What is left of a fetch's bound after a freeze, to ask once more where the token died on the way.
pub(crate) const FETCH_GRACE: Duration = Duration::from_secs(2);

/// What is left of a waiter's bound after a freeze, to see what comes of the fetch.
pub(crate) const WAITER_GRACE: Duration = Duration::from_secs(3);

/// The bound passed.
#[derive(Debug)]
pub(crate) struct Passed;

/// How much of a bound is left.
///
/// # Invariant
///
/// It ends: the grace is given once. A thread that is kept busy all the time, so that every timer is late, lengthens a
/// bound by one grace and one delay.
pub(crate) struct Bound<'a> {
    clock: &'a Clock,
    left: Duration,
    /// `None` once it was given.
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
            // The timer's word counts too: in tests with paused time, the clock may be another.
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
