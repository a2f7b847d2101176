//! Decides which task drives the fetch under way. It is part of the state, under the state's lock.

use std::{sync::Arc, time::Duration};

use super::Fetch;
use crate::lifecycle::{bound::TICK, sync::AbortHandle};

/// How long a task that was spawned may take to be polled for the first time before another is spawned. Longer than a
/// busy runtime takes, and short enough to help when a blocked worker holds the task in its own slot.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(100);

/// After how many checks in a row without a beat a driver counts as dead; the first check is early. A driver beats at
/// every [`TICK`]. Checks are counted, not time, because a frozen process makes no checks.
pub(super) const SILENT_LOOKS: u32 = 4;

/// The shortest silence of a driver that is replaced.
const SILENCE: Duration = FIRST_LOOK.saturating_add(TICK.saturating_mul(SILENT_LOOKS - 1));

/// One of the tasks that drive a fetch, one after another.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    fetch: Arc<Fetch>,
    /// From 1.
    number: u32,
}

/// How far a fetch has come, for the driver after this one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The attempts that have ended.
    pub(crate) attempts: u32,
    /// Those of them that returned an expired token and were followed by another for that reason.
    pub(crate) without_life: u32,
    /// Whether one was made because the credential had changed after a denial.
    pub(crate) with_new_credential: bool,
}

/// What a driver starts with.
pub(crate) struct Begun {
    pub(crate) driver: Driver,
    /// When its first attempt may be made, on the monotonic clock.
    pub(crate) start: Duration,
    /// Whether a driver before it has started the attempts.
    pub(crate) has_started: bool,
    pub(crate) progress: Progress,
}

/// How long a waiter has seen no beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Long enough for a task that was spawned to have been polled.
    Short,
    /// Long enough for several beats of a live driver.
    Long,
}

/// The fetch under way, as its drivers see it.
///
/// # Invariants
///
/// 1. A spawned task drives the fetch only after it has [begun](Self::begin): the first task that is polled begins, and
///    the others see that. Spawning another task therefore helps a fetch that no task has begun, and earlier tasks are
///    not wasted: however slow the runtimes, one task begins.
/// 2. After a task has begun, another can drive the fetch only after a [take-over](Self::help). Then the first task
///    that begins drives it. The earlier driver is aborted, and every step that it still makes finds that it no longer
///    drives.
/// 3. Each driver after the first repeats at most one attempt, the one that the earlier driver was making, under the
///    same number. It waits as long as the earlier driver would have waited.
/// 4. All drivers together have one bound: each uses what the earlier one left of it. The silence of a replaced driver
///    counts too, so that a fetch ends however often it is taken over.
pub(crate) struct Driving {
    fetch: Arc<Fetch>,
    start: Duration,
    has_started: bool,
    /// What is left of the fetch's bound.
    left: Duration,
    progress: Progress,
    /// Whether the last driver that began has not been replaced.
    has_driver: bool,
    /// How many drivers have begun.
    drivers: u32,
    /// How many tasks can still begin: those that exist, and one that is about to be spawned.
    waiting: u32,
    /// What was spawned to drive it.
    tasks: Vec<AbortHandle>,
}

impl Driving {
    /// The caller is to make its first task. `bound` is how long the attempts may take, from the first one's start.
    pub(crate) fn new(fetch: Arc<Fetch>, start: Duration, bound: Duration) -> Self {
        Self {
            fetch,
            start,
            has_started: false,
            left: bound,
            progress: Progress::default(),
            has_driver: false,
            drivers: 0,
            waiting: 1,
            tasks: Vec::new(),
        }
    }

    pub(crate) fn fetch(&self) -> &Arc<Fetch> {
        &self.fetch
    }

    /// Whether its first attempt has begun.
    pub(crate) fn has_started(&self) -> bool {
        self.has_started
    }

    /// Whether this driver drives the fetch now.
    pub(crate) fn is_driven_by(&self, driver: &Driver) -> bool {
        self.has_driver && self.drivers == driver.number && Arc::ptr_eq(&self.fetch, &driver.fetch)
    }

    /// Makes the caller the driver, if there is none.
    pub(crate) fn begin(&mut self) -> Option<Begun> {
        if self.has_driver {
            return None;
        }
        self.waiting -= 1;
        self.drivers += 1;
        self.has_driver = true;
        self.fetch.beat();
        Some(Begun {
            driver: Driver {
                fetch: self.fetch.clone(),
                number: self.drivers,
            },
            start: self.start,
            has_started: self.has_started,
            progress: self.progress,
        })
    }

    /// A task ends that has not begun. Returns whether no task drives the fetch, and none can any more.
    pub(crate) fn miss_task(&mut self) -> bool {
        self.waiting -= 1;
        self.waiting == 0 && !self.has_driver
    }

    /// The driver beats: it is alive, and this much of its bound is left.
    pub(crate) fn beat(&mut self, left: Duration) {
        if self.has_started {
            self.left = left;
        }
        self.fetch.beat();
    }

    /// The driver is about to make its first attempt. Returns whether that is the fetch's first attempt, and how long
    /// all further attempts may take.
    pub(crate) fn start(&mut self) -> (bool, Duration) {
        let is_first = !std::mem::replace(&mut self.has_started, true);
        (is_first, self.left)
    }

    /// The driver waits before another attempt. A driver that replaces it waits as long.
    pub(crate) fn wait(&mut self, progress: Progress, until: Duration) {
        self.progress = progress;
        self.start = until;
    }

    /// A waiter has seen no beat since `seen`. Returns whether it should spawn another task: one of many waiters does.
    /// A driver that has been silent for long is replaced, and its tasks are returned to be aborted.
    pub(crate) fn help(&mut self, seen: u64, silence: Silence) -> Option<Vec<AbortHandle>> {
        let waits_for_begin = !self.has_driver;
        if self.fetch.beats() != seen || !(waits_for_begin || silence == Silence::Long) {
            return None;
        }
        self.fetch.beat();
        self.waiting += 1;
        if waits_for_begin {
            return Some(Vec::new());
        }
        self.has_driver = false;
        if self.has_started {
            self.left = self.left.saturating_sub(SILENCE);
        }
        Some(self.take_tasks())
    }

    pub(crate) fn add_task(&mut self, task: AbortHandle) {
        self.tasks.push(task);
    }

    pub(crate) fn take_tasks(&mut self) -> Vec<AbortHandle> {
        std::mem::take(&mut self.tasks)
    }
}
