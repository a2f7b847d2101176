//! After a denial: looks whether the credential has been replaced.

use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use super::{
    bound::{ATTEMPT_GRACE, Bound},
    core::Core,
    sync::{runtime, time},
    telemetry,
};
use crate::unwind::caught;

/// How long to wait between two looks during a back-off. Short beside a back-off, which goes up to 5 minutes, and long
/// beside what it takes to ask a vault.
const LOOK_EVERY: Duration = Duration::from_secs(5);

type Looking = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A function of the fetcher's: whether the credential is another than that of the last attempt.
pub(crate) struct CredentialCheck(Box<dyn Fn() -> Looking + Send + Sync>);

impl CredentialCheck {
    pub(super) fn new<F, Fut>(changed: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        Self(Box::new(move || Box::pin(changed())))
    }

    /// A look that takes longer than an attempt may, or panics, has seen nothing.
    async fn has_changed(&self, core: &Core) -> bool {
        let timeout = core.config.policy.timeouts.attempt;
        let bound = Bound::new(&core.config.clock, timeout, ATTEMPT_GRACE);
        let looked = bound.run(caught(async { (self.0)().await })).await;
        matches!(looked, Ok(Some(true)))
    }
}

impl Core {
    /// Whether the credential of the last attempt has been replaced.
    pub(super) async fn credential_changed(&self) -> bool {
        match &self.config.credential {
            Some(check) => check.has_changed(self).await,
            None => false,
        }
    }
}

/// Spawns a task that watches the credential during the back-off that lasts until then, and ends the back-off when
/// there is another one.
///
/// # Invariants
///
/// 1. There is at most one watch, and only during a back-off after a denial. A fetch starts only when the back-off is
///    over, and everything that ends one early reports a change, which the watch waits for.
/// 2. A watch ends the back-off that it was started for, and no later one: it finds it in the step that ends it.
/// 3. No change is missed. An attempt keeps what it sent, and every look compares with that. A change before the look
///    that follows the denial is tried within the fetch, a later one is seen by the watch, which begins after the
///    back-off does, and one after the last look is read by the fetch that starts then.
/// 4. A watch has the core alone, so that it does not keep the source alive. A shutdown reports a change, too.
pub(super) fn watch(core: &Arc<Core>, until: Duration) {
    if core.config.credential.is_none() {
        return;
    }
    // A runtime that is shutting down drops the task: the back-off then lasts its full time.
    if let Ok(runtime) = runtime::Handle::try_current() {
        runtime.spawn(end_back_off_early(core.clone(), until));
    }
}

async fn end_back_off_early(core: Arc<Core>, until: Duration) {
    if !changes_before_end(&core, until).await {
        return;
    }
    let now = core.now();
    let ended = core.step(|state| {
        let lasts = state.backs_off_until(until, now);
        if lasts {
            state.end_back_off();
        }
        lasts
    });
    if ended {
        core.announce();
        telemetry::credential_changed(&core);
    }
}

/// Looks until the credential changes, or the back-off ends, which is polled first.
async fn changes_before_end(core: &Core, until: Duration) -> bool {
    let mut end = pin!(back_off_ended(core, until));
    let mut change = pin!(changed(core));
    poll_fn(|cx| match end.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(false),
        Poll::Pending => change.as_mut().poll(cx).map(|()| true),
    })
    .await
}

async fn back_off_ended(core: &Core, until: Duration) {
    let mut changed = core.subscribe();
    loop {
        let now = core.now();
        if !core.step(|state| state.backs_off_until(until, now)) {
            return;
        }
        let left = until.saturating_sub(now.monotonic);
        let _ = time::timeout(left, changed.changed()).await;
    }
}

async fn changed(core: &Core) {
    loop {
        time::sleep(LOOK_EVERY).await;
        if core.credential_changed().await {
            return;
        }
    }
}

impl fmt::Debug for CredentialCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialCheck")
    }
}
