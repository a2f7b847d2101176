//! Who drives the fetch under way, and how it changes hands. A part of the state, under its lock.

use std::{sync::Arc, time::Duration};

use super::{fetch::Fetch, sync::AbortHandle};

/// The number of a driver within its fetch, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Driver(u32);

/// How far a fetch has come, for the driver after this one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The attempts that were begun.
    pub(crate) attempts: u32,
    /// Those of them that brought a token without life, and were followed by another for that reason.
    pub(crate) without_life: u32,
}

/// What a driver begins with.
pub(crate) struct Begun {
    pub(crate) driver: Driver,
    /// When the first attempt may be made, on the monotonic clock.
    pub(crate) start: Duration,
    pub(crate) progress: Progress,
}

impl Begun {
    pub(crate) fn is_first(&self) -> bool {
        self.driver == Driver(1)
    }
}

/// How long somebody who waits has seen no sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Long enough for a task that was spawned to have been polled.
    Short,
    /// Long enough for a driver that lives to have beaten, several times.
    Long,
}

/// The fetch under way, as those see it who drive it.
///
/// # Invariants
///
/// 1. Tasks do not drive by being spawned, but by [beginning](Self::begin): the first that is polled begins, and the
///    others find it begun. A fetch that nobody has begun is therefore helped by spawning another task, and nothing that
///    was spawned before is in vain: however slow the runtimes, one of them begins.
/// 2. A fetch that was begun changes hands only by being [taken over](Self::help), after which it is open to the first
///    that begins, and the driver before is none: it is aborted, and what it still does finds that it does not drive.
/// 3. Each driver after the first repeats at most the attempt that the one before was in.
pub(crate) struct Driving {
    fetch: Arc<Fetch>,
    start: Duration,
    progress: Progress,
    driver: Option<Driver>,
    /// How many have begun.
    drivers: u32,
    /// What was spawned to drive it.
    tasks: Vec<AbortHandle>,
}

impl Driving {
    pub(crate) fn new(fetch: Arc<Fetch>, start: Duration) -> Self {
        Self {
            fetch,
            start,
            progress: Progress::default(),
            driver: None,
            drivers: 0,
            tasks: Vec::new(),
        }
    }

    pub(crate) fn fetch(&self) -> &Arc<Fetch> {
        &self.fetch
    }

    pub(crate) fn driver(&self) -> Option<Driver> {
        self.driver
    }

    /// Makes the caller the driver, unless there is one.
    pub(crate) fn begin(&mut self) -> Option<Begun> {
        if self.driver.is_some() {
            return None;
        }
        self.drivers += 1;
        let driver = Driver(self.drivers);
        self.driver = Some(driver);
        self.fetch.beat();
        Some(Begun {
            driver,
            start: self.start,
            progress: self.progress,
        })
    }

    /// The driver lives.
    pub(crate) fn beat(&self) {
        self.fetch.beat();
    }

    /// The driver begins an attempt.
    pub(crate) fn attempt(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// Somebody who waits has seen no beat since `seen`: whether they are to spawn another task. Of many who see it, one
    /// is. A driver that has been silent for long is replaced; the tasks are those to abort then.
    pub(crate) fn help(&mut self, seen: u64, silence: Silence) -> Option<Vec<AbortHandle>> {
        let waits_for_begin = self.driver.is_none();
        if self.fetch.beats() != seen || !(waits_for_begin || silence == Silence::Long) {
            return None;
        }
        self.fetch.beat();
        if waits_for_begin {
            return Some(Vec::new());
        }
        self.driver = None;
        self.progress.attempts = self.progress.attempts.saturating_sub(1);
        Some(self.take_tasks())
    }

    pub(crate) fn add_task(&mut self, task: AbortHandle) {
        self.tasks.push(task);
    }

    pub(crate) fn take_tasks(&mut self) -> Vec<AbortHandle> {
        std::mem::take(&mut self.tasks)
    }
}
