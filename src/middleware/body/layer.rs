use std::task::{Context, Poll};

use http::Request;
use http_body::Body;
use tower::{Layer, Service};

use super::ResendableBody;
use crate::error::BoxError;

const DEFAULT_LIMIT: usize = 64 * 1024;

/// Makes the body of each request re-sendable, so that [`OAuthLayer::retry_rejected`](crate::OAuthLayer::retry_rejected)
/// can retry requests whose body is not `Clone`, such as those of axum, reqwest and tonic.
///
/// Put it outside the [`OAuthLayer`](crate::OAuthLayer), with no layer between that wraps the body. The services inside
/// get a [`ResendableBody`] in place of the body. Nothing is buffered before it is sent: each chunk is passed on as soon
/// as it arrives, and a copy is kept. If the API rejects the token before the body has ended, the retry sends what was
/// kept, and then the rest as it arrives.
///
/// | the request | what happens when its token is rejected |
/// |---|---|
/// | at most the limit was sent so far | it is sent again, whole |
/// | more than the limit was sent | the caller gets the rejected response, and the next request has a new token |
/// | its body failed | the same |
///
/// # Memory
///
/// A request in progress keeps at most the limit: until its response arrives, or until the next chunk after that. A
/// trailer counts 128 bytes more than its text. Default: 64 KiB, so 1,000 concurrent uploads keep at most 64 MiB.
///
/// Do not use it where the body is `Clone` already, such as `Full<Bytes>`: it makes two allocations and a copy of the
/// body. Do not set a high limit for large uploads. Send a small request before, which gets the new token, or let the
/// caller repeat the upload.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::BodyExt;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_oauth::{
///     BoxError, OAuthLayer, ResendableBody, ResendableBodyLayer, Token, TokenRequest, TokenSource,
/// };
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// # let source = TokenSource::builder(service_fn(async |request: TokenRequest| {
/// #     Ok::<_, BoxError>(Token::new(if request.previous().is_some() { "new" } else { "revoked" }))
/// # })).build()?;
/// // It reads the whole body, and rejects the first token.
/// let client = service_fn(async |request: Request<ResendableBody>| {
///     let revoked = request.headers()["authorization"] == "Bearer revoked";
///     let mut response = Response::new(request.into_body().collect().await?.to_bytes());
///     if revoked {
///         *response.status_mut() = StatusCode::UNAUTHORIZED;
///     }
///     Ok::<_, BoxError>(response)
/// });
/// let api = ServiceBuilder::new()
///     .layer(ResendableBodyLayer::new())
///     .layer(OAuthLayer::new(source).retry_rejected())
///     .service(client);
///
/// let stream = axum::body::Body::from("an order"); // not `Clone`
/// let response = api.oneshot(Request::post("https://api.example/orders").body(stream)?).await?;
/// assert_eq!(response.status(), StatusCode::OK);
/// assert_eq!(response.body(), "an order");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResendableBodyLayer {
    limit: usize,
}

impl ResendableBodyLayer {
    /// Creates a layer with the default limit of 64 KiB.
    pub fn new() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
        }
    }

    /// Sets how many bytes of a request are kept at most. Default: 64 KiB.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

impl Default for ResendableBodyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ResendableBodyLayer {
    type Service = ResendableBodyService<S>;

    fn layer(&self, inner: S) -> ResendableBodyService<S> {
        ResendableBodyService {
            inner,
            limit: self.limit,
        }
    }
}

/// The service that [`ResendableBodyLayer`] makes.
#[derive(Clone, Debug)]
pub struct ResendableBodyService<S> {
    inner: S,
    limit: usize,
}

impl<S, B> Service<Request<B>> for ResendableBodyService<S>
where
    S: Service<Request<ResendableBody>>,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let limit = self.limit;
        self.inner
            .call(request.map(|body| ResendableBody::new(body, limit)))
    }
}
