//! The task that looks at an identity's files from time to time.
//!
//! # Invariant
//!
//! At most one task watches an identity. Whoever turns `watched` to true spawns it, and the task turns it back whenever
//! it ends: with its runtime, by a panic, or because the last handle is gone. The next use then spawns another, on its
//! own runtime. `tests/identity/task.rs` shows it.

use std::sync::{Arc, Weak, atomic::Ordering};

use tokio::{runtime, sync::watch, task, time};

use super::shared::Shared;

struct Watch(Weak<Shared>);

/// Makes sure that a task watches, if there is a runtime for it.
pub(super) fn start(shared: &Arc<Shared>) {
    if shared.watched.load(Ordering::Relaxed) {
        return;
    }
    let Ok(runtime) = runtime::Handle::try_current() else {
        return;
    };
    if !shared.watched.swap(true, Ordering::AcqRel) {
        let watch = Watch(Arc::downgrade(shared));
        runtime.spawn(watch.run(shared.interval, shared.handles.subscribe()));
    }
}

impl Watch {
    async fn run(self, interval: std::time::Duration, mut handles: watch::Receiver<()>) {
        // Nothing is ever sent: it ends by time, or when the last handle is gone.
        while time::timeout(interval, handles.changed()).await.is_err() {
            let Some(shared) = self.0.upgrade() else {
                return;
            };
            look(shared).await;
        }
    }
}

async fn look(shared: Arc<Shared>) {
    if shared.material.can_change() {
        // Files may lie on a network, and a password is slow on purpose.
        let looking = shared.clone();
        let found = task::spawn_blocking(move || looking.look()).await;
        let applied = found.map_or(Ok(false), |found| shared.apply(found));
        if let Err(error) = applied {
            shared.complain(&error);
        }
    }
    shared.warn_of_expiry();
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.watched.store(false, Ordering::Release);
        }
    }
}
