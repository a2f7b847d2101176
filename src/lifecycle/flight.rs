//! One fetch under way, and how those who wait for it learn its outcome.

use std::time::Duration;

use super::sync::{AbortHandle, Notify, OnceLock, time};
use crate::error::OAuthError;

/// How a flight ended. Cheap to clone: every waiter gets the same.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The token is in the cell.
    Landed,
    Failed(OAuthError),
    /// Whatever drove it is gone (its runtime, most likely): whoever still waits may start another.
    Lost,
}

/// A fetch under way.
///
/// # Invariants
///
/// 1. The outcome is written once, and before the waiters are woken.
/// 2. A waiter keeps the flight it joined: a later flight's outcome is never taken for its own.
/// 3. A waiter that is dropped takes nothing with it: the flight is driven by a task of the source.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    outcome: OnceLock<Outcome>,
    landed: Notify,
    /// What drives it; not there before it has been spawned.
    task: OnceLock<AbortHandle>,
}

impl Flight {
    pub(crate) async fn outcome(&self) -> Outcome {
        // Registered before the outcome is looked for: one that is written in between still wakes us.
        let landed = self.landed.notified();
        match self.outcome.get() {
            Some(outcome) => return outcome.clone(),
            None => landed.await,
        }
        // `Notify` wakes for nothing else, and `land` writes first.
        self.outcome.get().cloned().unwrap_or(Outcome::Lost)
    }

    /// The outcome, or `None` if it takes longer than this.
    pub(crate) async fn outcome_within(&self, bound: Option<Duration>) -> Option<Outcome> {
        match bound {
            Some(bound) => time::timeout(bound, self.outcome()).await.ok(),
            None => Some(self.outcome().await),
        }
    }

    pub(crate) fn land(&self, outcome: Outcome) {
        // A second outcome cannot come: a flight has one guard, and the guard lands it once.
        let _ = self.outcome.set(outcome);
        self.landed.notify_waiters();
    }

    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.outcome.get(), Some(Outcome::Lost))
    }

    pub(crate) fn driven_by(&self, task: AbortHandle) {
        // A second task cannot come: a flight is launched once, by whoever it was granted to.
        let _ = self.task.set(task);
    }

    pub(crate) fn abort(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}
