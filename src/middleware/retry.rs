use std::pin::Pin;

use http::{Method, Request, Response};

use super::{InnerService, body, send::send};
use crate::{error::BoxError, lifecycle::Guard, rejection::Rejection, token::Generation};

/// Rejected responses pass through unchanged. The default.
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
            // The API checked the token first and did nothing else.
            Rejection::Definite => true,
            Rejection::Ambiguous => self.unsafe_methods || is_safe(method),
        }
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What an [`OAuthLayer`](crate::OAuthLayer) does with a rejected request: [`NoRetry`] or [`RetryRejected`]. Sealed:
/// there are no others.
///
/// You need its name only in code that is generic over the mode:
///
/// ```
/// use http::{Request, Response};
/// use tower::ServiceExt;
/// use tower_oauth::{BoxError, InnerService, OAuth, RetryMode};
///
/// async fn get<S, R>(api: OAuth<S, R>, uri: &str) -> Result<Response<S::ResBody>, BoxError>
/// where
///     S: InnerService<String>,
///     R: RetryMode<S, String>,
/// {
///     api.oneshot(Request::get(uri).body(String::new())?).await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`retry_rejected()` needs a request body that is `Clone`, which `{B}` is not",
    label = "cannot send a request with this body again",
    note = "put a `tower_oauth::ResendableBodyLayer` outside, buffer the body into `http_body_util::Full<bytes::Bytes>`, \
            or leave `retry_rejected()` out"
)]
pub trait RetryMode<S: InnerService<B>, B> {
    /// The copy of the request while it is under way.
    type Kept: Keep<S::ResBody> + Send + 'static;

    #[doc(hidden)]
    fn keep(&self, service: &S, request: &Request<B>) -> Self::Kept;
}

/// The copy of a request. Sealed with [`RetryMode`].
pub trait Keep<C> {
    #[doc(hidden)]
    fn resend(self, rejection: Rejection) -> Option<Resend<C>>;
}

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Sends a request again with the token it is given, unless its body can no longer be sent. Boxed: this is the slow
/// path.
pub(super) type Resend<C> =
    Box<dyn FnOnce(Guard) -> Option<BoxFuture<(Generation, Response<C>)>> + Send>;

impl<S: InnerService<B>, B> RetryMode<S, B> for NoRetry {
    type Kept = ();

    fn keep(&self, _: &S, _: &Request<B>) {}
}

impl<C> Keep<C> for () {
    fn resend(self, _: Rejection) -> Option<Resend<C>> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<S, B> RetryMode<S, B> for RetryRejected
where
    S: InnerService<B>,
    B: Clone + Send + 'static,
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

/// A request without its token, and the service to send it through.
#[derive(Debug)]
pub struct Kept<S, B> {
    service: S,
    request: Request<B>,
    retry: RetryRejected,
}

impl<S, B> Kept<S, B>
where
    S: InnerService<B>,
    B: Send + 'static,
{
    fn send(self, source: Guard) -> BoxFuture<(Generation, Response<S::ResBody>)> {
        Box::pin(async move { send(&source, self.service, self.request).await })
    }
}

impl<S, B> Keep<S::ResBody> for Kept<S, B>
where
    S: InnerService<B>,
    B: Send + 'static,
{
    fn resend(mut self, rejection: Rejection) -> Option<Resend<S::ResBody>> {
        let covered = self.retry.covers(rejection, self.request.method());
        let again = covered && body::can_be_resent(self.request.body());
        again.then(|| -> Resend<S::ResBody> {
            Box::new(move |source| {
                let begun = body::begin_again(self.request.body_mut());
                begun.then(|| self.send(source))
            })
        })
    }
}
