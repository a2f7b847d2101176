//! A future that ends early.

use std::{future::poll_fn, pin::pin, task::Poll};

/// Drives a future to its end. `None`: nobody wants its result any more.
pub(crate) async fn unless<T>(
    unwanted: impl Future<Output = ()>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let (mut unwanted, mut future) = (pin!(unwanted), pin!(future));
    poll_fn(|cx| match unwanted.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}
