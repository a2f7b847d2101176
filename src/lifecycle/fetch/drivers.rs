//! Decides which task works on the fetch under way. It is a part of the state, under the state's lock.

use std::{sync::Arc, time::Duration};

use super::Fetch;
use crate::lifecycle::sync::AbortHandle;

/// One of the tasks that drive a fetch, one after another.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    fetch: Arc<Fetch>,
    /// From 1.
    number: u32,
}

impl Driver {
    pub(crate) fn is_first(&self) -> bool {
        self.number == 1
    }
}

/// How far a fetch has come, for the driver after this one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The attempts that were begun.
    pub(crate) attempts: u32,
    /// Those of them that brought a token without life, and were followed by another for that reason.
    pub(crate) without_life: u32,
    /// Whether one was made because the credential had changed after a denial.
    pub(crate) with_new_credential: bool,
}

/// What a driver begins with.
pub(crate) struct Begun {
    pub(crate) driver: Driver,
    /// When the first attempt may be made, on the monotonic clock.
    pub(crate) start: Duration,
    pub(crate) progress: Progress,
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
    /// Whether the last driver that began has not been replaced.
    has_driver: bool,
    /// How many drivers have begun.
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
            has_driver: false,
            drivers: 0,
            tasks: Vec::new(),
        }
    }

    pub(crate) fn fetch(&self) -> &Arc<Fetch> {
        &self.fetch
    }

    pub(crate) fn has_driver(&self) -> bool {
        self.has_driver
    }

    /// Whether this driver drives the fetch now.
    pub(crate) fn is_driven_by(&self, driver: &Driver) -> bool {
        self.has_driver && self.drivers == driver.number && Arc::ptr_eq(&self.fetch, &driver.fetch)
    }

    /// Makes the caller the driver, unless there is one.
    pub(crate) fn begin(&mut self) -> Option<Begun> {
        if self.has_driver {
            return None;
        }
        self.drivers += 1;
        self.has_driver = true;
        self.fetch.beat();
        Some(Begun {
            driver: Driver {
                fetch: self.fetch.clone(),
                number: self.drivers,
            },
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
        let waits_for_begin = !self.has_driver;
        if self.fetch.beats() != seen || !(waits_for_begin || silence == Silence::Long) {
            return None;
        }
        self.fetch.beat();
        if waits_for_begin {
            return Some(Vec::new());
        }
        self.has_driver = false;
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
