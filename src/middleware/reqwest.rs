//! The middleware for the `reqwest-middleware` crate.

use std::{error::Error, fmt};

use async_trait::async_trait;
use http::{Extensions, HeaderMap, StatusCode};
use reqwest::{Body, Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::{
    FromExtension, PickSource, ResendableBody, RetryRejected, body,
    carried::{Carried, Head},
};
use crate::{
    error::BoxError,
    lifecycle::{Guard, TokenSource},
};

/// Puts a token on every request of a `reqwest_middleware::ClientWithMiddleware`.
///
/// It does the same as [`OAuthLayer`](crate::OAuthLayer), and the two can share a [`TokenSource`]. Put it **after**
/// middleware that sends a request more than once, such as a retry, so that every try carries the current token.
///
/// # Redirects
///
/// `reqwest` follows redirects below its middleware, where this middleware cannot check the origin. On a redirect to
/// another host it removes `Authorization`, but keeps headers that it does not know, such as ANBIMA's `access_token`.
/// Use the client of a [`ReqwestService`](crate::transport::ReqwestService), which follows no redirect. On a client of
/// your own, set `redirect(Policy::none())` and `referer(false)`, or tokens go to wherever a response points. If it
/// sends plain `http` to this machine, set `no_proxy()` too, or a proxy sees the tokens.
///
/// # Errors
///
/// A request without a token, or to a foreign origin, is not sent. The client returns
/// `reqwest_middleware::Error::Middleware`, in which [`OAuthError::find`](crate::OAuthError::find) finds the reason.
/// Errors of the inner client pass through unchanged.
///
/// # Cancel safety
///
/// Dropping a request does not cancel a fetch that it started: the next request gets its result.
///
/// # Examples
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use tower_oauth::{
///     ClientId, ClientSecret, OAuthMiddleware, Origin, provider, testing::Bank, transport::ReqwestService,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth::BoxError> {
/// let bank = Bank::avista().start().await?;
/// let secret = ClientSecret::new(bank.client_secret());
/// let source = provider::avista::production(ClientId::new(bank.client_id())?, secret)
///     .token_url(bank.token_url())
///     .origin(bank.api_origin())
///     .build_reqwest(reqwest::Client::builder())?;
///
/// let api: Origin = bank.api_origin().parse()?;
/// let service = ReqwestService::new(reqwest::Client::builder(), &api)?;
/// let client = ClientBuilder::new(service.client().clone())
///     .with(OAuthMiddleware::new(source).retry_rejected())
///     .build();
///
/// let response = client.get(bank.url("/cob/1")).send().await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OAuthMiddleware<P = TokenSource> {
    source: P,
    expose_generation: bool,
    retry: Option<RetryRejected>,
    /// How much is kept of a stream, if anything is.
    stream_limit: Option<usize>,
}

impl OAuthMiddleware {
    /// Creates a middleware over a source. It sends a rejected request again only with
    /// [`retry_rejected`](Self::retry_rejected).
    pub fn new(source: TokenSource) -> Self {
        Self::over(source)
    }

    /// The token source.
    pub fn source(&self) -> &TokenSource {
        &self.source
    }
}

impl OAuthMiddleware<FromExtension> {
    /// A middleware that takes each request's [`TokenSource`] from the request's extensions
    /// (`RequestBuilder::with_extension`), as [`OAuthLayer::from_extension`](crate::OAuthLayer::from_extension) does. A
    /// request without one is not sent.
    pub fn from_extension() -> Self {
        Self::over(FromExtension::default())
    }
}

impl<P> OAuthMiddleware<P> {
    fn over(source: P) -> Self {
        Self {
            source,
            expose_generation: false,
            retry: None,
            stream_limit: None,
        }
    }

    /// Sends a rejected request once more, with a newer token, where its body can be cloned.
    ///
    /// A stream as the body cannot be cloned: the rejected response passes through, and the next request has a new
    /// token, unless you call [`resend_streams`](Self::resend_streams). After an *ambiguous* rejection (ANBIMA's 403)
    /// only GET, HEAD and OPTIONS are sent again.
    #[must_use]
    pub fn retry_rejected(mut self) -> Self {
        let unsafe_methods = false;
        self.retry.get_or_insert(RetryRejected { unsafe_methods });
        self
    }

    /// Retries requests of any method also after an *ambiguous* rejection: the API may have acted before it answered
    /// 403. Do not use it if a repeated request does harm, such as a second payment.
    #[must_use]
    pub fn danger_retry_any_method(mut self) -> Self {
        let unsafe_methods = true;
        self.retry = Some(RetryRejected { unsafe_methods });
        self
    }

    /// Lets [`retry_rejected`](Self::retry_rejected) retry requests whose body is a stream, up to a limit in bytes.
    /// Default: none.
    ///
    /// Each chunk is sent as soon as it arrives, and a copy is kept in memory. A retry sends the copy, and then the rest
    /// of the stream. A request that has sent more than the limit is not retried. 64 KiB suit most APIs; see
    /// [`ResendableBodyLayer`](crate::ResendableBodyLayer) for the details, and for when not to use it.
    #[must_use]
    pub fn resend_streams(mut self, limit: usize) -> Self {
        self.stream_limit = Some(limit);
        self
    }

    /// Puts the [`Generation`](crate::Generation) into the extensions of every response, for callers that find an error
    /// inside a 200 and want to [`invalidate`](TokenSource::invalidate) its token. Default: only rejected responses
    /// carry it.
    #[must_use]
    pub fn expose_generation(mut self) -> Self {
        self.expose_generation = true;
        self
    }

    async fn attach(&self, source: Guard, headers: &mut HeaderMap) -> Result<Carried> {
        let generation = match source.attach(headers) {
            Some(generation) => generation,
            None => {
                let token = source.acquire().await.map_err(not_sent)?;
                token.0.attach(headers)
            }
        };
        Ok(Carried {
            source,
            generation,
            expose_generation: self.expose_generation,
        })
    }

    /// Keeps a request to send it again, if its body allows it.
    fn keep(&self, request: &mut Request) -> Option<Kept> {
        self.retry?;
        let body = request.body_mut();
        let stream = match self.stream_limit {
            Some(limit) => body
                .take_if(|body| body.as_bytes().is_none())
                .map(|body| ResendableBody::new(body, limit)),
            None => None,
        };
        let kept = Kept {
            request: request.try_clone()?,
            stream: stream.clone(),
        };
        if let Some(stream) = stream {
            *request.body_mut() = Some(Body::wrap(stream));
        }
        Some(kept)
    }

    /// The kept request with a newer token, if the response rejects the one that it carried.
    async fn refreshed(
        &self,
        kept: Option<Kept>,
        carried: &mut Carried,
        response: &mut Response,
    ) -> Option<Request> {
        // Report every rejection to the source first, and decide about a retry after that.
        let rejected = carried.settle(response)?;
        let kept = kept?;
        let covered = self
            .retry?
            .covers(rejected.rejection(), kept.request.method());
        if !covered
            || !kept
                .stream
                .as_ref()
                .is_none_or(ResendableBody::can_be_resent)
        {
            return None;
        }
        let token = carried.source.replacement(rejected).await?;
        let mut request = kept.begin_again()?;
        carried.generation = token.0.attach(request.headers_mut());
        Some(request)
    }
}

/// A request without its token. A stream that is its body is beside it.
struct Kept {
    request: Request,
    stream: Option<ResendableBody>,
}

impl Kept {
    /// `None`: while the request waited for a token, the first sending went on past the limit.
    fn begin_again(mut self) -> Option<Request> {
        if let Some(mut stream) = self.stream {
            if !body::begin_again(&mut stream) {
                return None;
            }
            *self.request.body_mut() = Some(Body::wrap(stream));
        }
        Some(self.request)
    }
}

#[async_trait]
impl<P: PickSource + Send + Sync + 'static> Middleware for OAuthMiddleware<P> {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let source = self.source.pick(extensions).map_err(not_sent)?;
        source.permits_url(request.url()).map_err(not_sent)?;
        let kept = self.keep(&mut request);
        let mut carried = self.attach(source, request.headers_mut()).await?;
        let mut response = next.clone().run(request, extensions).await?;
        let Some(request) = self.refreshed(kept, &mut carried, &mut response).await else {
            return Ok(response);
        };
        drop(response);
        let mut second = next.run(request, extensions).await?;
        carried.settle(&mut second);
        Ok(second)
    }
}

impl Head for Response {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn extensions_mut(&mut self) -> &mut Extensions {
        self.extensions_mut()
    }
}

/// Wraps the cause, because the `Display` of the client's error shows only the source of the error inside it.
#[derive(Debug)]
struct NotSent(BoxError);

fn not_sent(cause: impl Into<BoxError>) -> reqwest_middleware::Error {
    reqwest_middleware::Error::middleware(NotSent(cause.into()))
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was not sent")
    }
}

impl Error for NotSent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.0.as_ref())
    }
}
