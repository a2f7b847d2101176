//! The fetch under way: what waiters see of it, and the tasks that do its work.
//!
//! `wait` spawns a task and waits for the outcome. The `task` makes the attempts, and `end` applies their result.
//! `drivers` decides which task works on the fetch.

mod drivers;
mod end;
mod task;
mod wait;

#[cfg(all(test, tower_oauth_loom))]
pub(super) use self::{drivers::Silence, wait::help};
pub(super) use self::{
    drivers::{Driver, Driving},
    task::Fetcher,
    wait::{follow, start},
};

use super::sync::{AtomicU64, Notify, OnceLock, Ordering};
use crate::{error::OAuthError, token::FetchCause};

/// How a fetch ended. Cheap to clone: every waiter gets the same.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The token is in the cell.
    Succeeded,
    Failed(OAuthError),
    /// Whatever drove it is gone (its runtime, most likely): whoever still waits may start another.
    Lost,
}

/// A fetch under way, as those see it who wait for it.
///
/// # Invariants
///
/// 1. The outcome is written once, and before the waiters are woken.
/// 2. A waiter keeps the fetch it joined: a later fetch's outcome is never taken for its own.
/// 3. A waiter that is dropped takes nothing with it: the fetch is driven by a task of the source.
/// 4. The beats change while somebody drives it, and in steps of the state alone: a driver that was replaced no longer
///    beats, so that waiters are never told by an old one that the new one lives.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) cause: FetchCause,
    outcome: OnceLock<Outcome>,
    finished: Notify,
    beats: AtomicU64,
}

impl Fetch {
    pub(crate) fn new(cause: FetchCause) -> Self {
        Self {
            cause,
            outcome: OnceLock::default(),
            finished: Notify::default(),
            beats: AtomicU64::new(0),
        }
    }

    pub(crate) async fn outcome(&self) -> Outcome {
        // Registered before the outcome is looked for: one that is written in between still wakes us.
        let finished = self.finished.notified();
        match self.outcome.get() {
            Some(outcome) => return outcome.clone(),
            None => finished.await,
        }
        // `Notify` wakes for nothing else, and `finish` writes first.
        self.outcome.get().cloned().unwrap_or(Outcome::Lost)
    }

    pub(crate) fn finish(&self, outcome: Outcome) {
        // A second outcome cannot come: only the step that ended the fetch is followed by this.
        let _ = self.outcome.set(outcome);
        self.finished.notify_waiters();
    }

    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.outcome.get(), Some(Outcome::Lost))
    }

    /// How often somebody has shown to work on it.
    pub(crate) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Call it in a step of the state only.
    fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}
