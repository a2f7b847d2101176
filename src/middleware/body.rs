//! Request bodies that can be sent again, though they can be read only once.
//!
//! A copy of what was read is kept while it is sent, up to a limit. The clones of a body share a [`State`]: the original,
//! what is kept of it, and which clone reads it.
//!
//! The invariants, each with a test:
//!
//! 1. One clone reads the original: the one that began last. Every earlier one gets an error from then on, and reports an
//!    end only if it has sent everything. So no server takes a part of a body for the whole.
//! 2. A clone gets the body from its first byte, or an error in place of the first byte. It begins only if everything
//!    that was read is kept.
//! 3. A frame is kept before it is passed on, under the same lock. So nothing is lost between two clones.
//! 4. A clone was made to be sent after what it was made from. So what it was made from cannot interrupt it, even if it
//!    is polled for the first time only then.
//! 5. At most the limit is kept, in memory of its own. A slice would keep the whole buffer that it belongs to.

mod kept;
mod layer;
mod original;
mod state;
#[cfg(test)]
mod tests;

use std::{
    any::Any,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

pub use self::layer::{ResendableBodyLayer, ResendableBodyService};
use self::state::{Reader, State, Unsendable};
use crate::error::BoxError;

/// A request body that can be sent again, made of any body. [`ResendableBodyLayer`] makes it for each request.
///
/// It passes each chunk on as soon as it arrives, and keeps a copy while other clones exist. A clone sends what was
/// kept, and then goes on with the rest of the original, trailers included. Once the body is longer than the limit,
/// nothing is kept, and the body can be sent only once.
///
/// # Clone
///
/// Clone it before it is sent. Clones share the original, and only one of them can read it: the one that is polled for
/// the first time interrupts the one before it, which then fails.
///
/// # Errors
///
/// It yields the errors of the original. A clone that cannot send the whole body fails before its first chunk; see
/// [`can_be_resent`](Self::can_be_resent).
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::{BodyExt, Full};
/// use tower_oauth::ResendableBody;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth::BoxError> {
/// let first = ResendableBody::new(Full::<Bytes>::from("a payment"), 64 * 1024);
/// let second = first.clone();
/// assert_eq!(first.collect().await?.to_bytes(), "a payment");
/// assert!(second.can_be_resent());
/// assert_eq!(second.collect().await?.to_bytes(), "a payment");
/// # Ok(())
/// # }
/// ```
pub struct ResendableBody {
    state: Arc<Mutex<State>>,
    reader: Reader,
}

impl ResendableBody {
    /// Wraps a body. `limit` is the number of bytes that are kept at most.
    pub fn new<B>(body: B, limit: usize) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            state: Arc::new(Mutex::new(State::new(original::erased(body), limit))),
            reader: Reader::default(),
        }
    }

    /// Whether this clone, which is not sent yet, can send the whole body. `false` once the body is longer than the limit,
    /// or has failed, or a clone of a later clone has begun. Use it in a retry policy of your own; [`OAuthLayer`](crate::OAuthLayer) does.
    pub fn can_be_resent(&self) -> bool {
        lock(&self.state).may_begin(&self.reader)
    }

    /// Makes this clone the one that reads. Its first poll does so too; this says before if it fails.
    fn begin(&mut self) -> Result<(), Unsendable> {
        let interrupted = lock(&self.state).begin(&mut self.reader)?;
        // Without the lock: the woken task may poll at once.
        if let Some(waker) = interrupted {
            waker.wake();
        }
        Ok(())
    }
}

/// Whether a body can be sent again. Clones of every other type of body are independent of each other.
pub(super) fn can_be_resent<B: 'static>(body: &B) -> bool {
    let body: Option<&ResendableBody> = (body as &dyn Any).downcast_ref();
    body.is_none_or(ResendableBody::can_be_resent)
}

/// The same, for a body that is sent right after. The first sending cannot pass the limit in between, because it ends
/// here.
pub(super) fn begin_again<B: 'static>(body: &mut B) -> bool {
    let body: Option<&mut ResendableBody> = (body as &mut dyn Any).downcast_mut();
    body.is_none_or(|body| body.begin().is_ok())
}

/// A panic of the original leaves it in an unknown state: it is not read again.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poisoned| {
        let mut state = poisoned.into_inner();
        state.fail();
        state
    })
}

impl Body for ResendableBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Err(error) = self.begin() {
            return Poll::Ready(Some(Err(error.into())));
        }
        let this = &mut *self;
        // Exact where it matters: nobody else can clone what is borrowed mutably here.
        let alone = Arc::strong_count(&this.state) == 1;
        let mut state = lock(&this.state);
        if alone {
            state.keep_no_more(&this.reader);
        }
        state.poll(&mut this.reader, cx)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.state).is_end(&self.reader)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.state).size_hint(&self.reader)
    }
}

impl Clone for ResendableBody {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            reader: self.reader.copy(),
        }
    }
}

impl fmt::Debug for ResendableBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResendableBody").finish_non_exhaustive()
    }
}
