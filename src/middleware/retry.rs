use std::pin::Pin;

use http::{Method, Request, Response};
use tower::Service;

use super::send::send;
use crate::{error::BoxError, lifecycle::Guard, rejection::Rejection, token::Generation};

/// Rejected responses are handed on as they are; the default.
#[derive(Clone, Copy, Debug)]
pub struct NoRetry(pub(super) ());

/// Rejected requests are sent once more; see [`OAuthLayer::retry_rejected`](crate::OAuthLayer::retry_rejected).
#[derive(Clone, Copy, Debug)]
pub struct RetryRejected {
    pub(super) unsafe_methods: bool,
}

impl RetryRejected {
    /// Whether a request of this method may be sent again after such a rejection.
    pub(super) fn covers(self, rejection: Rejection, method: &Method) -> bool {
        match rejection {
            // The API looked at the token first, and went no further.
            Rejection::Definite => true,
            Rejection::Ambiguous => self.unsafe_methods || is_safe(method),
        }
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// How to keep a request in case it is rejected. Sealed: the two modes are all there are.
pub trait Mode<S, B, C> {
    /// What is kept while the request is under way.
    type Kept: Keep<C> + Send + 'static;

    #[doc(hidden)]
    fn keep(&self, service: &S, request: &Request<B>) -> Self::Kept;
}

/// What was kept of a request. Sealed with [`Mode`].
pub trait Keep<C> {
    #[doc(hidden)]
    fn resend(self, rejection: Rejection) -> Option<Resend<C>>;
}

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Sends a request again with the token it is given. Boxed: this is the slow path.
pub(super) type Resend<C> = Box<dyn FnOnce(Guard) -> BoxFuture<(Generation, Response<C>)> + Send>;

impl<S, B, C> Mode<S, B, C> for NoRetry {
    type Kept = ();

    fn keep(&self, _: &S, _: &Request<B>) {}
}

impl<C> Keep<C> for () {
    fn resend(self, _: Rejection) -> Option<Resend<C>> {
        None
    }
}

impl<S, B, C> Mode<S, B, C> for RetryRejected
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
            retry: *self,
        }
    }
}

/// A request as it was before its token, and the service to send it through.
#[derive(Debug)]
pub struct Kept<S, B> {
    service: S,
    request: Request<B>,
    retry: RetryRejected,
}

impl<S, B, C> Keep<C> for Kept<S, B>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
    C: Send + 'static,
{
    fn resend(self, rejection: Rejection) -> Option<Resend<C>> {
        let covered = self.retry.covers(rejection, self.request.method());
        covered.then(|| -> Resend<C> {
            Box::new(move |source| {
                Box::pin(async move { send(&source, self.service, self.request).await })
            })
        })
    }
}
