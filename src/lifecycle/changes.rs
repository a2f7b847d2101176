//! Reports the changes of a source.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::{guard::ShutDownOnDrop, status::Status};

/// The changes of a source, one at a time: a token came, a fetch failed, a token was rejected, the source was shut
/// down.
///
/// It does not keep the source alive. Several changes between two reads appear as one.
#[derive(Debug)]
pub struct Changes {
    source: Weak<ShutDownOnDrop>,
    changed: watch::Receiver<()>,
}

impl Changes {
    pub(crate) fn new(source: Weak<ShutDownOnDrop>, changed: watch::Receiver<()>) -> Self {
        Self { source, changed }
    }

    /// Waits for the next change; `None` once the source is gone or shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a change that was not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Status> {
        self.source()?;
        self.changed.changed().await.ok()?;
        self.source().map(|source| Status::of(&source))
    }

    /// The source, unless it has ended.
    fn source(&self) -> Option<Arc<ShutDownOnDrop>> {
        let source = self.source.upgrade()?;
        (!source.is_shut_down()).then_some(source)
    }
}
