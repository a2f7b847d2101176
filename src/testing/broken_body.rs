//! Bodies that are cut off or slow.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::reply::{Body, Broken};

/// The bytes, and then the end of the connection.
pub(super) fn cut_off(bytes: Bytes) -> Body {
    CutOff {
        rest: Some(bytes),
        flushed: false,
    }
    .boxed_unsync()
}

/// One byte at a time.
pub(super) fn drip(bytes: Bytes, every: Duration) -> Body {
    // A timer rejects a period of nothing.
    let mut ticks = interval(every.max(Duration::from_nanos(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Drip { rest: bytes, ticks }.boxed_unsync()
}

struct CutOff {
    rest: Option<Bytes>,
    flushed: bool,
}

impl http_body::Body for CutOff {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(bytes) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        // hyper flushes when a body is not ready, and does not when it fails.
        if !self.flushed {
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Broken::CutOff)))
    }
}

struct Drip {
    rest: Bytes,
    ticks: Interval,
}

impl http_body::Body for Drip {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.ticks.poll_tick(cx));
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(1)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
