//! Refresh without traffic.

use std::{sync::Weak, time::Duration};

use tokio::{sync::watch, time};

use super::{fetch::follow, guard::ShutDownOnDrop, requests::Due};

/// The longest sleep. A timer stands still while the machine is suspended, so the wall clock must be looked at now
/// and then.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// Sees to a refresh whenever one is due. Holds the source only for the moment of looking.
pub(crate) async fn run(source: Weak<ShutDownOnDrop>, mut changed: watch::Receiver<()>) {
    loop {
        // The core alone: a wait for a fetch does not keep the source alive.
        let core = match source.upgrade() {
            Some(source) if !source.is_shut_down() => source.core(),
            _ => return,
        };
        let nap = match core.refresh_if_due() {
            Due::In(nap) => nap,
            Due::Fetching(fetch) => {
                // As one who waits for the token: a fetch that nobody drives is taken over.
                follow(&core, &fetch, &mut core.patience()).await;
                Duration::ZERO
            }
        };
        // The sender lives in the core, which a fetch may keep for a moment longer than the handles: the look at the
        // handle above, and not the channel's end, is what ends us.
        let _ = time::timeout(nap.min(LONGEST_NAP), changed.changed()).await;
    }
}
