//! Refresh without traffic.

use std::{sync::Weak, time::Duration};

use tokio::{sync::watch, time};

use super::{fetch::follow, guard::ShutDownOnDrop, requests::Due};

/// The longest sleep. A timer stops while the machine is suspended, so the wall clock is checked from time to time.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// Starts every refresh that is due. It does not keep the source alive while it waits.
pub(crate) async fn run(source: Weak<ShutDownOnDrop>, mut changed: watch::Receiver<()>) {
    loop {
        // Only the core: a wait for a fetch does not keep the source alive.
        let core = match source.upgrade() {
            Some(source) if !source.is_shut_down() => source.core(),
            _ => return,
        };
        let nap = match core.refresh_if_due() {
            Due::In(nap) => nap,
            Due::Fetching(fetch) => {
                // Waiting as a caller does also takes over a fetch whose task is dead.
                follow(&core, &fetch, &mut core.patience()).await;
                Duration::ZERO
            }
        };
        // The check above ends this loop, not the end of the channel: the sender is in the core, which a fetch may keep
        // alive longer than the last handle.
        let _ = time::timeout(nap.min(LONGEST_NAP), changed.changed()).await;
    }
}
