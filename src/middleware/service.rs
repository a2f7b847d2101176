use std::{
    mem,
    task::{Context, Poll, ready},
};

use http::{Request, Response, Uri};
use tower::{Layer, Service};

use super::{
    InnerService, NoRetry, OAuthLayer, PickSource, ResponseFuture, RetryMode, carried::Carried,
    future::Settling, inner::Clonable, retry::Keep,
};
use crate::{
    error::{BoxError, OAuthError},
    lifecycle::{Guard, TokenSource},
    origin::is_path_alone,
    token::Generation,
};

/// The service that [`OAuthLayer`](crate::OAuthLayer) makes.
///
/// A request with a usable token goes straight to the inner service. A request that must wait gives the ready inner
/// service back, waits for the token, and then waits for a clone to become ready. While it waits, it holds no permit,
/// connection or place in a queue, which the token fetch itself may need.
///
/// Errors, cancel safety and an example are at [`OAuthLayer`](crate::OAuthLayer).
///
/// # Clone
///
/// A clone shares the token source and clones the inner service.
#[derive(Clone, Debug)]
pub struct OAuth<S, R = NoRetry, P = TokenSource> {
    pub(super) inner: S,
    pub(super) source: P,
    pub(super) takes_relative: bool,
    pub(super) expose_generation: bool,
    pub(super) retry: R,
}

impl<S: Clonable> OAuth<S> {
    /// Wraps a service without a layer. It is the same as `OAuthLayer::new(source).layer(inner)`.
    ///
    /// Use [`OAuthLayer`](crate::OAuthLayer) in a `ServiceBuilder`, and to retry rejected requests.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceExt, service_fn};
    /// use tower_oauth::{BoxError, OAuth, Token, TokenRequest, TokenSource};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// let source = TokenSource::builder(service_fn(|_: TokenRequest| async {
    ///     Ok::<_, BoxError>(Token::new("abc"))
    /// }))
    /// .build()?;
    /// let client = service_fn(|request: Request<String>| async move {
    ///     Ok::<_, BoxError>(Response::new(request.headers()["authorization"].clone()))
    /// });
    ///
    /// let api = OAuth::new(client, source);
    /// let response = api.oneshot(Request::get("https://api.example").body(String::new())?).await?;
    /// assert_eq!(response.body(), "Bearer abc");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(inner: S, source: TokenSource) -> Self {
        OAuthLayer::new(source).layer(inner)
    }
}

impl<S, R> OAuth<S, R> {
    /// Returns the token source.
    pub fn source(&self) -> &TokenSource {
        &self.source
    }
}

impl<S, R, P> OAuth<S, R, P> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service and drops the rest.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, R, P> OAuth<S, R, P> {
    /// Releases what readiness holds (a permit, a place in a queue), and returns a service to wait with.
    fn give_readiness_back(&mut self) -> S {
        let unready = self.inner.clone();
        drop(mem::replace(&mut self.inner, unready));
        self.inner.clone()
    }
}

impl<S, B, R, P> Service<Request<B>> for OAuth<S, R, P>
where
    S: InnerService<B>,
    B: Send + 'static,
    R: RetryMode<S, B>,
    P: PickSource,
{
    type Response = Response<S::ResBody>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Pending, R::Kept, S::ResBody>;

    /// Only the inner service decides readiness. A failed fetch is an error of the call: an error here would close a
    /// `Buffer` around this service.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(ready!(self.inner.poll_ready(cx)).map_err(Into::into))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let source = match self.source.pick(request.extensions()) {
            Ok(source) => source,
            Err(error) => return self.not_sent(error),
        };
        if let Err(error) = self.check_origin(&source, request.uri()) {
            return self.not_sent(error);
        }
        let kept = self.retry.keep(&self.inner, &request);
        let attached = source.attach(request.headers_mut());
        let settling = Settling {
            carried: Carried {
                source,
                generation: attached.unwrap_or(Generation::NONE),
                expose_generation: self.expose_generation,
            },
            kept,
        };
        match attached {
            Some(_) => ResponseFuture::sent(self.inner.call(request), settling),
            None => ResponseFuture::waiting(self.give_readiness_back(), request, settling),
        }
    }
}

impl<S, R, P: PickSource> OAuth<S, R, P> {
    fn check_origin(&self, source: &Guard, uri: &Uri) -> Result<(), OAuthError> {
        if !self.takes_relative || uri.scheme().is_some() || uri.authority().is_some() {
            return source.permits(uri);
        }
        match is_path_alone(uri) {
            true => self.source.permits_relative(source),
            false => Err(source.foreign_origin(NOT_A_PATH)),
        }
    }
}

impl<S: Clone, R, P> OAuth<S, R, P> {
    #[cold]
    fn not_sent<F, K, C>(&mut self, error: OAuthError) -> ResponseFuture<F, K, C>
    where
        K: Keep<C> + Send + 'static,
        C: Send + 'static,
    {
        self.give_readiness_back();
        ResponseFuture::failed(error.into())
    }
}

const NOT_A_PATH: &str = "the request's URI must be a path that begins with one `/`";
