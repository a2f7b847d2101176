//! What the clones of a body share, and how far each of them is.

use std::{
    error::Error,
    fmt,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{kept::Kept, original::BoxBody};
use crate::error::BoxError;

/// What was kept is sent in pieces, so that little of it is in memory twice.
const PIECE: usize = 16 * 1024;

type NextFrame = Option<Result<Frame<Bytes>, BoxError>>;

pub(super) struct State {
    original: Original,
    /// The original's hint before it was read.
    whole: SizeHint,
    /// How far the original was read.
    read: Position,
    /// All that was read. `None`: it was too much, or nobody can need it again.
    kept: Option<Kept>,
    /// The clone that reads, by the order in which clones began, and how deep it is. Zero: none has begun.
    turn: u64,
    depth: u32,
    /// Of the clone that reads, while it waits for the original.
    waker: Option<Waker>,
}

enum Original {
    Open(BoxBody),
    Ended,
    Failed,
}

/// A place in a body.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Position {
    bytes: u64,
    /// Whether the trailers are behind it.
    trailers: bool,
}

/// What a clone has for itself.
#[derive(Debug, Default)]
pub(super) struct Reader {
    position: Position,
    /// When it began, in the order of all clones. `None`: not yet.
    turn: Option<u64>,
    /// A clone is one deeper than what it was made from.
    depth: u32,
}

/// Why a clone cannot send the body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unsendable {
    Interrupted,
    NotKept,
    Failed,
}

impl Reader {
    pub(super) fn copy(&self) -> Self {
        Self {
            depth: self.depth + 1,
            ..Self::default()
        }
    }
}

impl State {
    pub(super) fn new(original: BoxBody, limit: usize) -> Self {
        Self {
            whole: original.size_hint(),
            original: Original::Open(original),
            read: Position::default(),
            kept: Some(Kept::new(limit)),
            turn: 0,
            depth: 0,
            waker: None,
        }
    }

    /// Whether a clone that has not begun could begin now, and send everything.
    pub(super) fn may_begin(&self, reader: &Reader) -> bool {
        self.why_not_to_begin(reader).is_none()
    }

    fn why_not_whole(&self) -> Option<Unsendable> {
        match (&self.original, &self.kept) {
            (Original::Failed, _) => Some(Unsendable::Failed),
            (_, None) => Some(Unsendable::NotKept),
            (_, Some(_)) => None,
        }
    }

    /// Makes a clone the one that reads, and returns whom to wake: the clone before it, which waits for the original in
    /// vain from now on. Nothing changes for a clone that has begun.
    pub(super) fn begin(&mut self, reader: &mut Reader) -> Result<Option<Waker>, Unsendable> {
        if reader.turn.is_some() {
            return Ok(None);
        }
        if let Some(reason) = self.why_not_to_begin(reader) {
            return Err(reason);
        }
        self.turn += 1;
        self.depth = reader.depth;
        reader.turn = Some(self.turn);
        Ok(self.waker.take())
    }

    fn why_not_to_begin(&self, reader: &Reader) -> Option<Unsendable> {
        match reader.depth < self.depth {
            true => Some(Unsendable::Interrupted),
            false => self.why_not_whole(),
        }
    }

    /// Whether this clone reads, or would read if it were polled now.
    fn admits(&self, reader: &Reader) -> bool {
        match reader.turn {
            Some(turn) => turn == self.turn,
            None => self.why_not_to_begin(reader).is_none(),
        }
    }

    /// Frees what is kept, once the only clone that is left has sent it.
    pub(super) fn keep_no_more(&mut self, reader: &Reader) {
        if reader.position == self.read {
            self.kept = None;
        }
    }

    /// After an error or a panic of the original.
    pub(super) fn fail(&mut self) {
        self.original = Original::Failed;
        self.kept = None;
    }

    /// The next frame for a clone that has begun.
    pub(super) fn poll(&mut self, reader: &mut Reader, cx: &mut Context<'_>) -> Poll<NextFrame> {
        if !self.admits(reader) {
            return Poll::Ready(Some(Err(Unsendable::Interrupted.into())));
        }
        let frame = match self.next_kept(reader.position) {
            Some(frame) => Some(Ok(frame)),
            None => ready!(self.poll_original(cx)),
        };
        if let Some(Ok(frame)) = &frame {
            reader.position.pass(frame);
        }
        Poll::Ready(frame)
    }

    /// What is kept from a position on.
    fn next_kept(&self, position: Position) -> Option<Frame<Bytes>> {
        let kept = self.kept.as_ref()?;
        // It fits: a position is within what is kept.
        let rest = &kept.data()[position.bytes as usize..];
        if !rest.is_empty() {
            let piece = &rest[..rest.len().min(PIECE)];
            return Some(Frame::data(Bytes::copy_from_slice(piece)));
        }
        let trailers = kept.trailers().filter(|_| !position.trailers)?;
        Some(Frame::trailers(trailers.clone()))
    }

    fn poll_original(&mut self, cx: &mut Context<'_>) -> Poll<NextFrame> {
        let original = match &mut self.original {
            Original::Open(original) => original,
            Original::Ended => return Poll::Ready(None),
            Original::Failed => return Poll::Ready(Some(Err(Unsendable::Failed.into()))),
        };
        let Poll::Ready(frame) = original.as_mut().poll_frame(cx) else {
            self.remember(cx.waker());
            return Poll::Pending;
        };
        let more = original.size_hint().lower();
        match &frame {
            Some(Ok(frame)) => self.keep(frame, more),
            Some(Err(_)) => self.fail(),
            None => self.original = Original::Ended,
        }
        Poll::Ready(frame)
    }

    fn remember(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(remembered) => remembered.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// A body that is certain to pass the limit is kept no longer. `more`: how much is certain to follow.
    fn keep(&mut self, frame: &Frame<Bytes>, more: u64) {
        self.read.pass(frame);
        if self
            .kept
            .as_mut()
            .is_some_and(|kept| !kept.add(frame, more))
        {
            self.kept = None;
        }
    }

    /// Whether a clone has sent everything.
    pub(super) fn is_end(&self, reader: &Reader) -> bool {
        let original_ended = match &self.original {
            Original::Open(original) => original.is_end_stream(),
            Original::Ended => true,
            Original::Failed => false,
        };
        original_ended && reader.position == self.read
    }

    /// What is left for a clone, by the hint of the whole: a retry must have the framing of the first sending. HTTP/1
    /// sends no trailers after a body whose length it announced.
    pub(super) fn size_hint(&self, reader: &Reader) -> SizeHint {
        let left = |whole: u64| whole.saturating_sub(reader.position.bytes);
        let mut hint = SizeHint::new();
        hint.set_lower(left(self.whole.lower()));
        if let Some(upper) = self.whole.upper() {
            hint.set_upper(left(upper));
        }
        hint
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }
}

impl Position {
    fn pass(&mut self, frame: &Frame<Bytes>) {
        self.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
        self.trailers |= frame.is_trailers();
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "this sending of the request body was interrupted, because the body is sent again",
            Self::NotKept => {
                "the request body cannot be sent again, because its beginning was not kept. Ask `can_be_resent` first"
            }
            Self::Failed => "the request body cannot be sent again, because reading it failed",
        })
    }
}

impl Error for Unsendable {}
