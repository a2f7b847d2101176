use http::{Request, Response};
use tower::Service;

use crate::error::BoxError;

/// The services that [`OAuthLayer`](crate::OAuthLayer) can wrap: the bounds of the inner service under one name. Every
/// service that meets the bounds implements it. You cannot implement it yourself.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower_oauth::InnerService;
///
/// fn can_be_wrapped(_: &impl InnerService<Full<Bytes>>) {}
///
/// can_be_wrapped(&Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());
/// ```
#[diagnostic::on_unimplemented(
    message = "`OAuthLayer` cannot wrap `{Self}` for requests whose body is `{B}`",
    label = "must be `Service<http::Request<{B}>, Response = http::Response<_>> + Clone + Send + 'static`",
    note = "a `reqwest::Client` does not take `http::Request`: wrap it in `tower_oauth::transport::ReqwestService`, or \
            use `tower_oauth::OAuthMiddleware` with `reqwest_middleware`"
)]
pub trait InnerService<B>:
    Service<
        Request<B>,
        Response = Response<<Self as InnerService<B>>::ResBody>,
        Error = <Self as InnerService<B>>::InnerError,
        Future = <Self as InnerService<B>>::Pending,
    > + Clone
    + Send
    + 'static
{
    /// The body of its responses.
    type ResBody: Send + 'static;
    /// Its error.
    type InnerError: Into<BoxError>;
    /// Its future.
    type Pending: Future<Output = Result<Response<Self::ResBody>, Self::InnerError>> + Send;
}

#[diagnostic::do_not_recommend]
impl<S, B, C> InnerService<B> for S
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    C: Send + 'static,
{
    type ResBody = C;
    type InnerError = S::Error;
    type Pending = S::Future;
}

/// `Clone`, required when a service is wrapped. Otherwise the compiler would report a missing `Clone` at the first
/// method call, without its cause.
#[diagnostic::on_unimplemented(
    message = "`OAuthLayer` cannot wrap `{Self}`, which is not `Clone`",
    label = "must be `Clone`",
    note = "instead of `tower::util::BoxService`, use `tower::util::BoxCloneSyncService`"
)]
pub trait Clonable: Clone {}

#[diagnostic::do_not_recommend]
impl<S: Clone> Clonable for S {}
