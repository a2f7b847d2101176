//! The fetch under way: its waiters, and the tasks that drive it.
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

/// How a fetch ended. It is cheap to clone: every waiter gets the same outcome.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The token is in the cell.
    Succeeded,
    Failed(OAuthError),
    /// Its tasks were dropped, usually with their runtime. A waiter may start another fetch.
    Lost,
}

/// A fetch under way, as its waiters see it.
///
/// # Invariants
///
/// 1. The outcome is written once, before the waiters are woken.
/// 2. A waiter keeps the fetch that it joined, so it never sees the outcome of a later fetch.
/// 3. Dropping a waiter does not affect the fetch: a task of the source drives it.
/// 4. The beats change only while a task drives the fetch, and only in steps of the state. A replaced driver no longer
///    beats, so its beats cannot hide that the new driver is dead.
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
        // Registered before the outcome is read: an outcome that is written in between still wakes this waiter.
        let finished = self.finished.notified();
        match self.outcome.get() {
            Some(outcome) => return outcome.clone(),
            None => finished.await,
        }
        // `Notify` wakes for nothing else, and `finish` writes first.
        self.outcome.get().cloned().unwrap_or(Outcome::Lost)
    }

    pub(crate) fn finish(&self, outcome: Outcome) {
        // There is no second outcome: only the step that ended the fetch is followed by this call.
        let _ = self.outcome.set(outcome);
        self.finished.notify_waiters();
    }

    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.outcome.get(), Some(Outcome::Lost))
    }

    /// How often a driver has beaten.
    pub(crate) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Call it in a step of the state only.
    fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}
