//! The public handle that layers, middleware, health checks and tests share.

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

    /// Reports that the API rejected the token of this generation. Use it when a 200 contains an error about the token.
    ///
    /// It affects that generation only, and the limits on fetches after rejections apply. Do not call it for a 401: the
    /// layer has already seen it. For an example, see
    /// [`OAuthLayer::expose_generation`](crate::OAuthLayer::expose_generation).
    pub fn invalidate(&self, generation: Generation) {
        let core = self.core();
        // An answer that looked good may be what the caller speaks of.
        core.forget_success(generation);
        core.rejected(generation, Rejection::Definite);
    }

    /// Ends the current back-off. Call it after you have fixed the cause.
    ///
    /// The next request may start a fetch. Do not call it in a loop: banks lock out clients that ask too often.
    pub fn retry_now(&self) {
        self.core().step(|state| state.end_back_off());
        self.core().changes.send_replace(());
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
        Changes::new(
            Arc::downgrade(&self.guards.source),
            self.core().changes.subscribe(),
        )
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
        super::keep_fresh::run(
            Arc::downgrade(&self.guards.source),
            self.core().changes.subscribe(),
        )
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
