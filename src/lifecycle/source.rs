//! The handle that layers, middleware, health checks and tests share.

use std::{fmt, sync::Arc};

use http::Uri;
use tokio::time;
use tower::Service;

use super::{
    builder::TokenSourceBuilder,
    cell::IssuedToken,
    changes::Changes,
    core::Core,
    guard::{Guard, Guards},
    status::Status,
};
use crate::{
    error::{BoxError, FailureClass, OAuthError},
    rejection::Rejection,
    token::{Generation, Token, TokenRequest},
};

/// A source of tokens for one client at one provider: one current token, one fetch at a time, one policy.
///
/// It is a cheap handle; clones share everything. Give one to every layer, middleware and health page that speaks to
/// the same provider with the same credentials. When the last handle is dropped, whatever runs in the background ends.
///
/// A source may be built anywhere, also in a `static`; a fetch needs a tokio runtime with its timer.
///
/// # Clone
///
/// A clone is another handle to the same source.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower::service_fn;
/// use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// let source = TokenSource::builder(service_fn(|_: TokenRequest| async {
///     Ok::<_, BoxError>(Token::new("abc").with_lifetime(Duration::from_secs(300)))
/// }))
/// .build()?;
///
/// let token = source.token().await?;
/// assert_eq!(token.expose_token(), "abc");
/// assert_eq!(source.status().counters.attempts, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenSource {
    guards: Arc<Guards>,
}

impl TokenSource {
    /// Starts a source over any fetcher: a Tower service that answers a [`TokenRequest`] with a [`Token`].
    ///
    /// The fetcher is owned by the source, called by one fetch at a time and never concurrently. It makes one attempt
    /// per call; attempts, waits and back-off are the source's business. Return a [`FetchError`](crate::FetchError) to
    /// tell transient, permanent and rate-limited failures apart.
    ///
    /// # Examples
    ///
    /// A fetcher under a time-out and a rate limit of its own:
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::{ServiceBuilder, service_fn};
    /// use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// let vault = service_fn(|_: TokenRequest| async {
    ///     Ok::<_, BoxError>(Token::new("abc").with_lifetime(Duration::from_secs(300)))
    /// });
    /// let fetcher = ServiceBuilder::new()
    ///     .timeout(Duration::from_secs(5))
    ///     .rate_limit(5, Duration::from_secs(60)) // `RateLimit` must be made inside a runtime
    ///     .service(vault);
    /// let source = TokenSource::builder(fetcher).name("vault").build()?;
    /// source.ready().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder<F>(fetcher: F) -> TokenSourceBuilder
    where
        F: Service<TokenRequest, Response = Token> + Send + 'static,
        F::Error: Into<BoxError>,
        F::Future: Send + 'static,
    {
        TokenSourceBuilder::new(fetcher)
    }

    pub(crate) fn new(core: Core) -> Self {
        Self {
            guards: Arc::new(Guards::new(core)),
        }
    }

    /// The current token; waits for a fetch when there is none that may be used, at most `timeouts.acquire` (25 s).
    ///
    /// # Errors
    ///
    /// When no token could be had: the fetch's own error, the same for all who waited for it. While the source backs
    /// off it comes at once and says, through [`OAuthError::retry_at`], when the next try may be made.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the fetch belongs to the source and goes on, and the next caller gets its result.
    pub async fn token(&self) -> Result<IssuedToken, OAuthError> {
        match self.core().current() {
            Some(token) => Ok(token),
            None => self.core().acquire().await,
        }
    }

    /// Waits until there is a token: for start-up, and for tests. Unlike [`token`](Self::token) it outlasts back-offs;
    /// it has no bound of its own, so wrap it in `tokio::time::timeout`.
    ///
    /// # Errors
    ///
    /// When waiting cannot help: the token endpoint rejected for good, or the source is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`token`](Self::token) is.
    pub async fn ready(&self) -> Result<(), OAuthError> {
        let mut changed = self.core().changes.subscribe();
        loop {
            let error = match self.token().await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let passes = error.retry_at().is_some() || error.is_timeout();
            if !passes || error.class() == Some(FailureClass::Permanent) {
                return Err(error);
            }
            // A change may be the end of the back-off, or of the source.
            let wait = self.core().back_off_left().unwrap_or_default();
            let _ = time::timeout(wait, changed.changed()).await;
        }
    }

    /// Says that the token of this generation is bad, as a 401 would: for callers that find an error inside a 200.
    ///
    /// Only that generation is touched. The same restraint holds as for rejections that the layer sees. Not for a 401: the
    /// layer has seen it. An example is at [`OAuthLayer::expose_generation`](crate::OAuthLayer::expose_generation).
    pub fn invalidate(&self, generation: Generation) {
        self.core().rejected(generation, Rejection::Definite);
    }

    /// Ends a back-off now, for an operator who has mended what was wrong. The next request may fetch. Not for a loop:
    /// back-off is what keeps a bank from locking the client out.
    pub fn retry_now(&self) {
        self.core().step(|state| state.end_back_off());
        self.core().changes.send_replace(());
    }

    /// Ends what runs in the background, and lets no fetch start again. The current token serves until its end; then
    /// requests fail with an error that [`is_closed`](OAuthError::is_closed). Dropping the last handle does the same.
    pub fn shutdown(&self) {
        self.core().shut_down();
    }

    /// What the source would say of itself now. It takes a lock for a moment: for health pages, not for each request.
    pub fn status(&self) -> Status {
        Status::of(self.core())
    }

    /// The source's changes from here on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower::service_fn;
    /// # use tower_oauth::{BoxError, SourceState, Token, TokenRequest, TokenSource};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
    /// let source = TokenSource::builder(fetcher).build()?;
    /// let mut changes = source.changes();
    /// source.ready().await?;
    /// let status = changes.next().await.expect("the source is still there");
    /// assert_eq!(status.state, SourceState::Fresh);
    /// # Ok(())
    /// # }
    /// ```
    pub fn changes(&self) -> Changes {
        Changes::new(
            Arc::downgrade(&self.guards.source),
            self.core().changes.subscribe(),
        )
    }

    /// Refreshes the token ahead of its expiry also when there is no traffic, for a service whose first request after a
    /// quiet night must not wait. It ends by itself when the last handle is dropped or the source is shut down.
    ///
    /// Do not use it for a client that calls rarely: it fetches a token per lifetime that nobody needs.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower::service_fn;
    /// # use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
    /// let source = TokenSource::builder(fetcher).build()?;
    /// let task = tokio::spawn(source.keep_fresh());
    /// drop(source);
    /// task.await?; // it ended with its source
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep_fresh(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        super::keep_fresh::run(
            Arc::downgrade(&self.guards.source),
            self.core().changes.subscribe(),
        )
    }

    /// Whether the token may be sent to this address; each request is checked by itself, so that this is for settings
    /// that should fail at start-up.
    ///
    /// # Errors
    ///
    /// When it may not: an [`OAuthError`] that [`is_foreign_origin`](OAuthError::is_foreign_origin), and says which rule
    /// was broken.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower::service_fn;
    /// # use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
    /// # let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
    /// let source = TokenSource::builder(fetcher).origin("https://api.example").build()?;
    /// assert!(source.permits(&"https://api.example/cob".parse()?).is_ok());
    /// assert!(source.permits(&"https://elsewhere.example/".parse()?).is_err());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn permits(&self, uri: &Uri) -> Result<(), OAuthError> {
        self.core().permits(uri)
    }

    /// Keeps the source alive for one request.
    #[inline]
    pub(crate) fn guard(&self) -> Guard {
        self.guards.get()
    }

    fn core(&self) -> &Arc<Core> {
        &self.guards.source
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("name", &self.core().config.name)
            .finish_non_exhaustive()
    }
}
