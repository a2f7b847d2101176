use tower::Layer;

use super::{FromExtension, NoRetry, OAuth, PickSource, RetryRejected, inner::Clonable};
use crate::{error::ConfigError, lifecycle::TokenSource, origin::Origin};

/// Puts a token on every request of the service it wraps.
///
/// Put it **inside** layers that send a request more than once or to another address (`Retry`, `FollowRedirect`), so
/// that it checks the token and the origin each time. Put it **outside** layers that only transport bytes. See
/// [`guide::stack`](crate::guide::stack).
///
/// # Bounds
///
/// The inner service must be `Clone`. For requests with a body `B` it must be an
/// [`InnerService<B>`](super::InnerService): a `Service<http::Request<B>, Response = http::Response<_>>` that is `Clone
/// + Send + 'static`, with a `Send` future and an error that becomes a [`BoxError`](crate::BoxError). `B` must be `Send
/// + 'static`; under [`retry_rejected`](Self::retry_rejected) it must also be `Clone`.
///
/// | does not compile | use |
/// |---|---|
/// | a `tower::util::BoxService` inside, which is not `Clone` | `tower::util::BoxCloneSyncService` |
/// | a bare `reqwest::Client` inside, which takes no `http::Request` | `transport::ReqwestService`, or `OAuthMiddleware` with `reqwest-middleware` |
/// | a body that is not `Clone` under `retry_rejected()`, such as axum's, reqwest's and tonic's | a [`ResendableBodyLayer`](super::ResendableBodyLayer) outside, or `Full<Bytes>` |
///
/// Such a mistake often shows at a method call, as "the method `ready` exists … but its trait bounds were not
/// satisfied". `tower::util::BoxCloneSyncService::<http::Request<B>, _, _>::new(service)` then names the cause.
///
/// # Errors
///
/// A request without a token, or to a foreign origin, is not sent. Its error is a [`BoxError`](crate::BoxError), in
/// which [`OAuthError::find`](crate::OAuthError::find) finds the reason. Errors of the inner service pass through
/// unchanged.
///
/// # Cancel safety
///
/// Dropping a request does not cancel a fetch that it started: the next request gets its result.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
/// use tower_oauth::{BoxError, OAuthLayer, Token, TokenRequest, TokenSource};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// let source = TokenSource::builder(service_fn(|_: TokenRequest| async {
///     Ok::<_, BoxError>(Token::new("abc"))
/// }))
/// .origin("https://api.example")
/// .build()?;
///
/// // Any `Service<http::Request<B>>`: hyper-util's client, the reqwest adapter, an axum `Router`.
/// let client = service_fn(|request: Request<String>| async move {
///     assert_eq!(request.headers()["authorization"], "Bearer abc");
///     Ok::<_, BoxError>(Response::new(()))
/// });
/// let mut api = ServiceBuilder::new()
///     .layer(OAuthLayer::new(source).retry_rejected())
///     .service(client);
///
/// let request = Request::get("https://api.example/cob/1").body(String::new())?;
/// api.ready().await?.call(request).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OAuthLayer<R = NoRetry, P = TokenSource> {
    source: P,
    takes_relative: bool,
    expose_generation: bool,
    retry: R,
}

impl OAuthLayer {
    /// Creates a layer over a source. It sends a rejected request again only with
    /// [`retry_rejected`](Self::retry_rejected).
    pub fn new(source: TokenSource) -> Self {
        Self::over(source)
    }
}

impl OAuthLayer<NoRetry, FromExtension> {
    /// A layer that takes each request's [`TokenSource`] from the request's extensions, for services that call a bank on
    /// behalf of many customers.
    ///
    /// A request whose extensions hold none fails with [`OAuthErrorKind::NoSource`](crate::OAuthErrorKind::NoSource), and
    /// nothing is sent. Do not use it where there is one source: [`new`](OAuthLayer::new) cannot be given the wrong one.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_oauth::{BoxError, OAuthLayer, Token, TokenRequest, TokenSource};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// let of_a_customer = TokenSource::builder(service_fn(async |_: TokenRequest| {
    ///     Ok::<_, BoxError>(Token::new("customer-17"))
    /// }))
    /// .build()?;
    /// let client = service_fn(async |request: Request<String>| {
    ///     Ok::<_, BoxError>(Response::new(request.headers()["authorization"].clone()))
    /// });
    /// let api = OAuthLayer::from_extension().layer(client);
    ///
    /// let mut request = Request::get("https://api.example/cob/1").body(String::new())?;
    /// request.extensions_mut().insert(of_a_customer);
    /// assert_eq!(api.oneshot(request).await?.body(), "Bearer customer-17");
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_extension() -> Self {
        Self::over(FromExtension::default())
    }
}

impl<P> OAuthLayer<NoRetry, P> {
    fn over(source: P) -> Self {
        Self {
            source,
            takes_relative: false,
            expose_generation: false,
            retry: NoRetry(()),
        }
    }

    /// Sends a rejected request once more, with a newer token.
    ///
    /// It clones each request, so the body must be `Clone` (`Full<Bytes>` is cheap to clone). The bodies of axum,
    /// reqwest and tonic are not. Put a [`ResendableBodyLayer`](super::ResendableBodyLayer) outside for them. Without it
    /// they do not compile:
    ///
    /// ```compile_fail
    /// # use tower::{Layer, ServiceExt, service_fn};
    /// # use tower_oauth::{BoxError, OAuthLayer, Token, TokenRequest, TokenSource};
    /// # let source = TokenSource::builder(service_fn(|_: TokenRequest| async {
    /// #     Ok::<_, BoxError>(Token::new("abc"))
    /// # })).build().unwrap();
    /// struct Stream; // a body that can be read once
    /// let client = service_fn(|_: http::Request<Stream>| async {
    ///     Ok::<_, BoxError>(http::Response::new(()))
    /// });
    /// let api = OAuthLayer::new(source).retry_rejected().layer(client);
    /// api.oneshot(http::Request::new(Stream)); // `Stream: Clone` is not satisfied
    /// ```
    ///
    /// Or do not retry: the caller gets the rejected response, and the next request has a new token.
    pub fn retry_rejected(self) -> OAuthLayer<RetryRejected, P> {
        OAuthLayer {
            source: self.source,
            takes_relative: self.takes_relative,
            expose_generation: self.expose_generation,
            retry: RetryRejected {
                unsafe_methods: false,
            },
        }
    }
}

impl<P> OAuthLayer<RetryRejected, P> {
    /// Retries requests of any method also after an *ambiguous* rejection (ANBIMA's 403). Default: only GET, HEAD and
    /// OPTIONS, because the API may have acted before it answered 403. Do not use it if a repeated request does harm,
    /// such as a second payment.
    #[must_use]
    pub fn danger_retry_any_method(mut self) -> Self {
        self.retry.unsafe_methods = true;
        self
    }
}

impl<R> OAuthLayer<R> {
    /// Accepts requests without scheme and authority. Use it for an inner service that sends all requests to one
    /// origin, such as a tonic channel or an axum `Router`.
    ///
    /// Do not use it with a client that chooses the host by the `Host` header: the layer does not check that header. A
    /// path that does not begin with `/`, or that begins with `//` or `/\`, is an error of the request: joined to an
    /// origin, it could lead to another host.
    ///
    /// # Errors
    ///
    /// Fails if the source's token may not be sent to the origin.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower::{Layer, ServiceExt, service_fn};
    /// # use tower_oauth::{BoxError, OAuthLayer, Token, TokenRequest, TokenSource};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
    /// # let channel = service_fn(|_: http::Request<String>| async {
    /// #     Ok::<_, BoxError>(http::Response::new(()))
    /// # });
    /// let source = TokenSource::builder(fetcher).origin("https://grpc.example").build()?;
    /// assert!(OAuthLayer::new(source.clone()).relative_to("https://elsewhere.example").is_err());
    ///
    /// let api = OAuthLayer::new(source).relative_to("https://grpc.example")?.layer(channel);
    /// api.oneshot(http::Request::get("/cob.Charges/Get").body(String::new())?).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn relative_to(mut self, origin: impl Into<String>) -> Result<Self, ConfigError> {
        let origin: Origin = origin.into().parse()?;
        self.source.guard().permits_origin(&origin)?;
        self.takes_relative = true;
        Ok(self)
    }
}

impl<R> OAuthLayer<R, FromExtension> {
    /// Lets requests without scheme and authority through, as for a layer of one source. Whether a source's token may go
    /// to this origin is looked at for each request.
    ///
    /// # Errors
    ///
    /// When the text is no origin.
    pub fn relative_to(mut self, origin: impl Into<String>) -> Result<Self, ConfigError> {
        self.source.relative_to = Some(origin.into().parse()?);
        self.takes_relative = true;
        Ok(self)
    }
}

impl<R, P> OAuthLayer<R, P> {
    /// Puts the [`Generation`](crate::Generation) into the extensions of every response, for callers that find an error
    /// inside a 200 and want to [`invalidate`](TokenSource::invalidate) its token.
    ///
    /// Default: only rejected responses carry it. Extensions allocate: leave it out if you do not need it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower::{Layer, ServiceExt, service_fn};
    /// # use tower_oauth::{BoxError, Generation, OAuthLayer, Token, TokenRequest, TokenSource};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
    /// # let client = service_fn(|_: http::Request<String>| async {
    /// #     Ok::<_, BoxError>(http::Response::new("token revoked"))
    /// # });
    /// # let source = TokenSource::builder(fetcher).build()?;
    /// let api = OAuthLayer::new(source.clone()).expose_generation().layer(client);
    /// let request = http::Request::get("https://api.example/").body(String::new())?;
    /// let response = api.oneshot(request).await?;
    /// if *response.body() == "token revoked" && let Some(&generation) = response.extensions().get::<Generation>() {
    ///     source.invalidate(generation);
    /// }
    /// assert_eq!(source.status().counters.rejections, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn expose_generation(mut self) -> Self {
        self.expose_generation = true;
        self
    }
}

impl<S: Clonable, R: Clone, P: PickSource> Layer<S> for OAuthLayer<R, P> {
    type Service = OAuth<S, R, P>;

    fn layer(&self, inner: S) -> Self::Service {
        OAuth {
            inner,
            source: self.source.clone(),
            takes_relative: self.takes_relative,
            expose_generation: self.expose_generation,
            retry: self.retry.clone(),
        }
    }
}
