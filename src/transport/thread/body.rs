//! The body of a response, passed on from the thread that reads it.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::{Shared, worker::ENDED};
use crate::{BoxError, unless::unless};

/// `None` is the end of the body. Without it, a thread that ended in the middle would look like the end.
type Sent = Option<Result<Frame<Bytes>, BoxError>>;

/// Where the thread puts the frames.
pub(super) struct FrameSender(mpsc::Sender<Sent>);

/// The frames of a body, on the caller's side.
pub(super) struct Frames {
    received: mpsc::Receiver<Sent>,
    is_over: bool,
    /// Keeps the thread alive.
    thread: Option<Arc<Shared>>,
}

/// One frame at a time: a peer that sends faster than the caller reads waits.
pub(super) fn channel() -> (FrameSender, Frames) {
    let (sender, received) = mpsc::channel(1);
    let frames = Frames {
        received,
        is_over: false,
        thread: None,
    };
    (FrameSender(sender), frames)
}

impl FrameSender {
    /// Reads a body to its end, or until nobody wants it any more.
    pub(super) async fn pass_on(&self, body: reqwest::Body) {
        let mut body = pin!(body);
        loop {
            let next = poll_fn(|cx| body.as_mut().poll_frame(cx));
            let Some(frame) = unless(self.0.closed(), next).await else {
                return;
            };
            let is_over = !matches!(frame, Some(Ok(_)));
            let frame = frame.map(|it| it.map_err(|error| error.without_url().into()));
            if self.0.send(frame).await.is_err() || is_over {
                return;
            }
        }
    }
}

impl Frames {
    pub(super) fn keeping(self, thread: Arc<Shared>) -> Self {
        Self {
            thread: Some(thread),
            ..self
        }
    }

    fn end(&mut self) {
        self.is_over = true;
        self.thread = None;
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let next = ready!(self.received.poll_recv(cx));
        let next = next.unwrap_or_else(|| Some(Err(ENDED.into())));
        if !matches!(next, Some(Ok(_))) {
            self.end();
        }
        Poll::Ready(next)
    }
}
