//! Starts a fetch and waits for it. Waiters check that it goes on.

use std::{pin::pin, sync::Arc};

use tracing::Instrument;

use super::{
    Fetch, Outcome,
    drivers::{Driving, FIRST_LOOK, SILENT_LOOKS, Silence},
    task::FetchTask,
};
use crate::{
    error::{OAuthError, Reason},
    lifecycle::{
        bound::{Bound, TICK},
        core::Core,
        sync::runtime,
        telemetry,
    },
};

/// Spawns a fetch on the current runtime, as a task that the source owns.
///
/// # Errors
///
/// Fails if no runtime takes the task. The fetch is lost then.
pub(crate) fn start(core: &Arc<Core>, fetch: &Arc<Fetch>) -> Result<(), OAuthError> {
    let task = FetchTask::new(core.clone(), fetch.clone());
    if let Ok(runtime) = runtime::Handle::try_current() {
        spawn(core, &runtime, task);
        // A runtime that is shutting down drops the task at once. Waiting for another task would never end.
        if !fetch.is_lost() || core.is_shut_down() {
            return Ok(());
        }
    }
    // The token that the fetch should have replaced is the best there is.
    core.step(|_| core.restore());
    Err(core.error(Reason::NoRuntime))
}

fn spawn(core: &Arc<Core>, runtime: &runtime::Handle, task: FetchTask) {
    let fetch = task.fetch.clone();
    let span = telemetry::fetch_span(core, fetch.cause);
    let spawned = runtime.spawn(task.run().instrument(span)).abort_handle();
    let kept = spawned.clone();
    let is_under_way = core.step(|state| {
        let driving = state.driving(&fetch)?;
        driving.add_task(kept);
        Some(())
    });
    // The fetch has ended, or a shutdown found no task to abort.
    if is_under_way.is_none() {
        spawned.abort();
    }
}

/// Waits for a fetch's outcome. Returns `None` if the bound passes first. If no task drives the fetch, a waiter spawns
/// one.
pub(crate) async fn follow(
    core: &Arc<Core>,
    fetch: &Arc<Fetch>,
    bound: &mut Bound<'_>,
) -> Option<Outcome> {
    let mut outcome = pin!(fetch.outcome());
    let mut watch = Watch::new(fetch);
    let mut tick = FIRST_LOOK;
    while !bound.is_over() {
        if let Some(outcome) = bound.tick(tick, outcome.as_mut()).await {
            return Some(outcome);
        }
        if let Some(silence) = watch.look(fetch) {
            help(core, fetch, watch.seen, silence);
        }
        tick = TICK;
    }
    None
}

/// Spawns another task for a fetch that no task begins, or whose driver is silent. Returns whether that was necessary.
pub(in crate::lifecycle) fn help(
    core: &Arc<Core>,
    fetch: &Arc<Fetch>,
    seen: u64,
    silence: Silence,
) -> bool {
    let Ok(runtime) = runtime::Handle::try_current() else {
        return false;
    };
    let help = |driving: &mut Driving| driving.help(seen, silence);
    let Some(replaced) = core.step(|state| state.driving(fetch).and_then(help)) else {
        return false;
    };
    // Without the lock: an abort may drop the task's future at once, and its drop takes the lock.
    replaced.iter().for_each(|task| task.abort());
    let task = FetchTask::new(core.clone(), fetch.clone());
    spawn(core, &runtime, task);
    true
}

/// What a waiter has seen of a fetch.
struct Watch {
    seen: u64,
    silent_looks: u32,
}

impl Watch {
    fn new(fetch: &Fetch) -> Self {
        Self {
            seen: fetch.beats(),
            silent_looks: 0,
        }
    }

    /// How long it has been silent, if it is.
    fn look(&mut self, fetch: &Fetch) -> Option<Silence> {
        let beats = fetch.beats();
        if beats != self.seen {
            *self = Self::new(fetch);
            return None;
        }
        self.silent_looks += 1;
        match self.silent_looks < SILENT_LOOKS {
            true => Some(Silence::Short),
            false => Some(Silence::Long),
        }
    }
}
