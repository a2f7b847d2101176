use std::pin::Pin;

use http::{Method, Request, Response};
use tower::Service;

use super::send::send;
use crate::{error::BoxError, lifecycle::Hold, refusal::Refusal, token::Generation};

/// Refused responses are handed on as they are; the default.
#[derive(Clone, Copy, Debug)]
pub struct NoReplay(pub(super) ());

/// Refused requests are sent once more; see [`OAuthLayer::replay`](crate::OAuthLayer::replay).
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    pub(crate) unsafe_methods: bool,
}

impl Replay {
    /// Whether a request of this method may be sent again after such a refusal.
    pub(crate) fn covers(self, refusal: Refusal, method: &Method) -> bool {
        match refusal {
            // The API looked at the token first, and went no further.
            Refusal::Definite => true,
            Refusal::Ambiguous => self.unsafe_methods || is_safe(method),
        }
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// How to keep a request in case it is refused. Sealed: the two modes are all there are.
pub trait Mode<S, B, C> {
    /// What is kept while the request is under way.
    type Kept: Keep<C> + Send + 'static;

    #[doc(hidden)]
    fn keep(&self, service: &S, request: &Request<B>) -> Self::Kept;
}

/// What was kept of a request. Sealed with [`Mode`].
pub trait Keep<C> {
    #[doc(hidden)]
    fn resend(self, refusal: Refusal) -> Option<Resend<C>>;
}

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Sends a request again with the token it is given. Boxed: this is the slow path.
pub(super) type Resend<C> = Box<dyn FnOnce(Hold) -> BoxFuture<(Generation, Response<C>)> + Send>;

impl<S, B, C> Mode<S, B, C> for NoReplay {
    type Kept = ();

    fn keep(&self, _: &S, _: &Request<B>) {}
}

impl<C> Keep<C> for () {
    fn resend(self, _: Refusal) -> Option<Resend<C>> {
        None
    }
}

impl<S, B, C> Mode<S, B, C> for Replay
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Clone + Send + 'static,
    C: Send + 'static,
{
    type Kept = Kept<S, B>;

    fn keep(&self, service: &S, request: &Request<B>) -> Kept<S, B> {
        Kept {
            service: service.clone(),
            request: request.clone(),
            replay: *self,
        }
    }
}

/// A request as it was before its token, and the service to send it through.
#[derive(Debug)]
pub struct Kept<S, B> {
    service: S,
    request: Request<B>,
    replay: Replay,
}

impl<S, B, C> Keep<C> for Kept<S, B>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
    C: Send + 'static,
{
    fn resend(self, refusal: Refusal) -> Option<Resend<C>> {
        let covered = self.replay.covers(refusal, self.request.method());
        covered.then(|| -> Resend<C> {
            Box::new(move |source| {
                Box::pin(async move { send(&source, self.service, self.request).await })
            })
        })
    }
}
