//! The public handle that layers, middleware, health checks and tests share.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use http::Uri;
use tokio::time;
use tower::Service;

#[cfg(feature = "pool")]
use super::status::Summary;
use super::{
    builder::TokenSourceBuilder,
    cell::IssuedToken,
    changes::Changes,
    core::Core,
    guard::{Guard, Guards, ShutDownOnDrop},
    status::Status,
};
use crate::{
    error::{BoxError, FailureClass, OAuthError},
    rejection::Rejection,
    token::{Generation, Token, TokenRequest},
};

/// A source of tokens for one client at one provider: one current token, one fetch at a time, one policy.
///
/// It is a cheap handle, and clones share everything. Use one source for every layer, middleware and health page that
/// calls the same provider with the same credentials. Dropping the last handle ends all background work.
///
/// You can build a source anywhere, also in a `static`. A fetch needs a Tokio runtime with its timer enabled.
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
    /// Returns a builder for a source over any fetcher: a Tower service that answers a [`TokenRequest`] with a
    /// [`Token`].
    ///
    /// The source owns the fetcher and never calls it concurrently. Each call makes one attempt; the source decides
    /// about further attempts, waits and back-off. Return a [`FetchError`](crate::FetchError) to distinguish transient,
    /// permanent and rate-limited failures.
    ///
    /// # Examples
    ///
    /// A fetcher with its own time-out and rate limit:
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

    /// Returns the current token, waiting for a fetch if there is none.
    ///
    /// It waits at most `timeouts.acquire`. Default: 25 s.
    ///
    /// # Errors
    ///
    /// Returns the error of the fetch, the same one to every caller that waited for it. While the source backs off, it
    /// returns that error at once, and [`OAuthError::retry_at`] says when the next attempt is made.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: cancelling a caller does not cancel the fetch, and the next caller gets its result.
    pub async fn token(&self) -> Result<IssuedToken, OAuthError> {
        match self.core().current() {
            Some(token) => Ok(token),
            None => self.core().acquire().await,
        }
    }

    /// Waits until there is a token. Use it at start-up and in tests.
    ///
    /// Unlike [`token`](Self::token), it goes on waiting through back-offs. It has no time-out: wrap it in
    /// `tokio::time::timeout`.
    ///
    /// # Errors
    ///
    /// Returns an error when waiting cannot help: the failure is permanent, or the source is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`token`](Self::token) is.
    pub async fn ready(&self) -> Result<(), OAuthError> {
        let mut subscribed = None;
        loop {
            let error = match self.token().await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let passes = error.retry_at().is_some() || error.is_timeout();
            if !passes || error.class() == Some(FailureClass::Permanent) {
                return Err(error);
            }
            let Some(changed) = &mut subscribed else {
                // Then ask again: what changed in between is not announced any more.
                subscribed = Some(self.core().subscribe());
                continue;
            };
            // A change may be the end of the back-off, or of the source.
            let wait = self.core().back_off_left().unwrap_or_default();
            let _ = time::timeout(wait, changed.changed()).await;
        }
    }

    /// Reports that the API rejected the token of this generation. Use it when a 200 contains an error about the token.
    ///
    /// It affects that generation only, and the limits on fetches after rejections apply. Do not call it for a 401: the
    /// layer has already seen it. For an example, see
    /// [`OAuthLayer::expose_generation`](crate::OAuthLayer::expose_generation).
    pub fn invalidate(&self, generation: Generation) {
        let core = self.core();
        // The caller may mean an answer whose status looked good.
        core.forget_success(generation);
        core.rejected(generation, Rejection::Definite);
    }

    /// Ends the current back-off. Call it after you have fixed the cause.
    ///
    /// The next request may start a fetch. Do not call it in a loop: banks lock out clients that ask too often.
    pub fn retry_now(&self) {
        self.core().step(|state| state.end_back_off());
        self.core().announce();
    }

    /// Starts a refresh behind the requests, as if it were due now. Requests use the current token until the new one is
    /// there.
    ///
    /// Call it when something that the token rests on has changed: a certificate that it is bound to (RFC 8705), or
    /// rights at the provider. If a fetch is under way, its attempt may have used what was there before: then the next
    /// request starts one more. While the source backs off, the refresh waits until the back-off ends; without a token
    /// in use nothing happens. Do not call it for a rejected token: the layer has already seen that.
    ///
    /// Outside a Tokio runtime the next request starts the refresh.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tower::service_fn;
    /// # use tower_oauth::{BoxError, Clock, Token, TokenRequest, TokenSource};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let mut serial = 0;
    /// # let fetcher = service_fn(move |_: TokenRequest| {
    /// #     serial += 1;
    /// #     async move { Ok::<_, BoxError>(Token::new(format!("token-{serial}"))) }
    /// # });
    /// let source = TokenSource::builder(fetcher).clock(Clock::tokio()).build()?;
    /// let first = source.token().await?;
    /// tokio::time::sleep(Duration::from_secs(2)).await;
    ///
    /// source.refresh();
    /// assert_eq!(source.token().await?.generation(), first.generation()); // nobody waits
    /// tokio::time::sleep(Duration::from_secs(1)).await;
    /// assert_ne!(source.token().await?.generation(), first.generation());
    /// # Ok(())
    /// # }
    /// ```
    pub fn refresh(&self) {
        self.core().refresh();
    }

    /// Ends all background work and prevents new fetches.
    ///
    /// Requests use the current token until it expires. After that they fail with an error whose
    /// [`is_closed`](OAuthError::is_closed) is true. Dropping the last handle does the same.
    pub fn shutdown(&self) {
        self.core().shut_down();
    }

    /// Returns the source's state now. It takes a lock: use it for health pages, not for every request.
    pub fn status(&self) -> Status {
        Status::of(self.core())
    }

    /// Returns the changes of the source from now on.
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
        Changes::new(Arc::downgrade(&self.guards.source), self.core().subscribe())
    }

    /// Returns a task that refreshes the token before it expires, even without traffic.
    ///
    /// Use it when the first request after a quiet night must not wait. The task ends when the last handle is dropped
    /// or the source is shut down. Do not use it for a client that calls rarely: it fetches one unneeded token per
    /// lifetime.
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
        super::keep_fresh::run(Arc::downgrade(&self.guards.source), self.core().subscribe())
    }

    /// Checks whether the token may be sent to this address.
    ///
    /// The layer checks every request. Use this method to reject a wrong address at start-up.
    ///
    /// # Errors
    ///
    /// Returns an [`OAuthError`] whose [`is_foreign_origin`](OAuthError::is_foreign_origin) is true if the token may
    /// not be sent there. Its text names the broken rule.
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

    /// A handle that does not keep the source alive.
    pub(crate) fn downgrade(&self) -> WeakTokenSource {
        WeakTokenSource(Arc::downgrade(&self.guards.source))
    }

    /// Whether somebody else has a handle, a request is under way, or a fetch.
    #[cfg(feature = "pool")]
    pub(crate) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.guards) > 1
            || self.guards.are_in_use()
            || self.core().step(|state| state.is_fetching())
    }

    /// What a pool shows of it.
    #[cfg(feature = "pool")]
    pub(crate) fn summary(&self) -> Summary {
        Summary::of(self.core())
    }

    fn core(&self) -> &Arc<Core> {
        &self.guards.source
    }
}

/// Tells a source of changes without keeping it alive.
#[derive(Debug)]
pub(crate) struct WeakTokenSource(Weak<ShutDownOnDrop>);

#[cfg_attr(
    not(feature = "rustls"),
    allow(dead_code, reason = "its caller needs `rustls`")
)]
impl WeakTokenSource {
    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Refreshes the token if it rests on what is no longer in use; `false` once the source is gone.
    pub(crate) fn refresh_outdated(&self) -> bool {
        let source = self.0.upgrade();
        if let Some(source) = &source {
            source.refresh_outdated();
        }
        source.is_some()
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("name", &self.core().config.name)
            .finish_non_exhaustive()
    }
}
