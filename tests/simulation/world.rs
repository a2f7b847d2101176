//! The clocks of a run, and what was seen in it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;
use tower_oauth::Clock;

use crate::{
    bank::Bank,
    record::{At, Nanos, Record},
    scenario::Scenario,
};

/// What the actors of one run share.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) scenario: Arc<Scenario>,
    started: Instant,
    started_wall: SystemTime,
    seen: Arc<Mutex<Seen>>,
}

pub(crate) struct Seen {
    /// How long the machine has been suspended in all: time that its monotonic clock knows nothing of.
    suspended: Nanos,
    events: u64,
    pub(crate) record: Record,
    pub(crate) bank: Bank,
}

impl World {
    /// Must be made inside a runtime with a paused clock.
    pub(crate) fn new(scenario: Scenario) -> Self {
        let clock = Clock::tokio();
        let seen = Seen {
            suspended: 0,
            events: 0,
            record: Record::default(),
            bank: Bank::new(&scenario),
        };
        Self {
            started: Instant::now(),
            started_wall: clock.wall(),
            clock,
            scenario: Arc::new(scenario),
            seen: Arc::new(Mutex::new(seen)),
        }
    }

    /// Runs a step that something happens in, at the present moment.
    pub(crate) fn at<T>(&self, step: impl FnOnce(&mut Seen, At) -> T) -> T {
        let mut seen = self.lock();
        seen.events += 1;
        let mono = nanos(self.started.elapsed());
        let at = At {
            order: seen.events,
            mono,
            wall: signed(self.clock.wall(), self.started_wall),
            truth: mono + seen.suspended,
        };
        step(&mut seen, at)
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.lock())
    }

    /// The machine sleeps: time passes, and the monotonic clock does not see it.
    pub(crate) fn suspend(&self, by: Duration) {
        self.clock.step_wall_forward(by);
        self.look(|seen| {
            seen.suspended += nanos(by);
            seen.record.suspends += 1;
        });
    }

    /// Somebody sets the clock: no time passes.
    pub(crate) fn step_wall(&self, by: Duration, forward: bool) {
        match forward {
            true => self.clock.step_wall_forward(by),
            false => self.clock.step_wall_back(by),
        }
        self.at(|seen, at| match forward {
            true => seen.record.steps_forward += 1,
            false => seen.record.steps_back.push(at),
        });
    }

    pub(crate) fn into_record(self) -> Record {
        std::mem::take(&mut self.lock().record)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|it| it.into_inner())
    }
}

pub(crate) fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap()
}

pub(crate) fn signed(at: SystemTime, since: SystemTime) -> Nanos {
    match at.duration_since(since) {
        Ok(after) => nanos(after),
        Err(before) => -nanos(before.duration()),
    }
}
