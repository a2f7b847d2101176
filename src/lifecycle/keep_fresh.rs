//! Renewal without traffic.

use std::{sync::Weak, time::Duration};

use tokio::{sync::watch, time};

use super::{
    handle::{Due, Handle},
    refresh::follow,
};

/// The longest sleep. A timer stands still while the machine is suspended, so the wall clock must be looked at now
/// and then.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// Sees to a renewal whenever one is due. Holds the source only for the moment of looking.
pub(crate) async fn run(source: Weak<Handle>, mut changed: watch::Receiver<()>) {
    loop {
        let due = match source.upgrade() {
            Some(source) if !source.is_shut_down() => source.renew_if_due(),
            _ => return,
        };
        let nap = match due {
            Due::In(nap) => nap,
            Due::Fetching(core, flight) => {
                // As one who waits for the token: a fetch that nobody drives is taken over.
                follow(&core, &flight, &mut core.patience()).await;
                Duration::ZERO
            }
        };
        // The sender lives in the core, which a flight may keep for a moment longer than the handles: the look at the
        // handle above, and not the channel's end, is what ends us.
        let _ = time::timeout(nap.min(LONGEST_NAP), changed.changed()).await;
    }
}
