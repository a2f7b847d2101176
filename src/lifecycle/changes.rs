//! Reports the changes of a source.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use sync_wrapper::SyncWrapper;
use tokio::sync::watch;

use super::{guard::ShutDownOnDrop, status::Status};

/// The changes of a source, one at a time: a token came, a fetch failed, a token was rejected, the source was shut
/// down.
///
/// It does not keep the source alive. Several changes between two reads are returned as one. Read them with
/// [`next`](Self::next), or as a [`Stream`].
pub struct Changes {
    source: Weak<ShutDownOnDrop>,
    /// Stored between polls, so that a dropped call of `next` loses no change. It is only polled through `&mut`.
    change: SyncWrapper<Change>,
}

/// The next change, and the receiver for the change after it. `None` after the source is dropped.
type Change = Pin<Box<dyn Future<Output = Option<watch::Receiver<()>>> + Send>>;

impl Changes {
    pub(crate) fn new(source: Weak<ShutDownOnDrop>, changed: watch::Receiver<()>) -> Self {
        Self {
            source,
            change: SyncWrapper::new(next_change(changed)),
        }
    }

    /// Waits for the next change. Returns `None` after the source is dropped or shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call returns a change that a dropped call did not return.
    pub async fn next(&mut self) -> Option<Status> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The source, unless it has ended.
    fn source(&self) -> Option<Arc<ShutDownOnDrop>> {
        let source = self.source.upgrade()?;
        (!source.is_shut_down()).then_some(source)
    }
}

impl Stream for Changes {
    type Item = Status;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Status>> {
        if self.source().is_none() {
            return Poll::Ready(None);
        }
        let change = self.change.get_mut();
        let Some(changed) = ready!(change.as_mut().poll(cx)) else {
            *change = Box::pin(async { None });
            return Poll::Ready(None);
        };
        *change = next_change(changed);
        Poll::Ready(self.source().map(|source| Status::of(&source)))
    }
}

fn next_change(mut changed: watch::Receiver<()>) -> Change {
    Box::pin(async move {
        changed.changed().await.ok()?;
        Some(changed)
    })
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
