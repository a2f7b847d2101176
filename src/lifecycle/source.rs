//! The handle that layers, middleware, health checks and tests share.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use http::{HeaderMap, Uri};
use tokio::{runtime, time};
use tower::Service;

use super::{
    builder::TokenSourceBuilder,
    cell::{Issued, IssuedToken, Phase},
    clock::Now,
    core::{Admission, Core},
    flight::{Flight, Outcome},
    refresh::launch,
    state::{Boarding, Remedy},
    status::{Changes, Counters, Status},
    telemetry,
};
use crate::{
    error::{BoxError, ConfigError, OAuthError, OAuthErrorKind},
    origin::Origin,
    refusal::{Refusal, RefusalRule},
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
///     Ok::<_, BoxError>(Token::new("abc").expires_in(Duration::from_secs(300)))
/// }))
/// .build()?;
///
/// let token = source.token().await?;
/// assert_eq!(token.expose_token(), "abc");
/// assert_eq!(source.status().counters.fetches, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenSource {
    handle: Arc<Handle>,
}

/// Ends the source when the last one lets go of it. Tasks hold the core, never the handle.
#[derive(Debug)]
pub(crate) struct Handle {
    core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.shut_down();
    }
}

impl TokenSource {
    /// Starts a source over any fetcher: a Tower service that answers a [`TokenRequest`] with a [`Token`].
    ///
    /// The fetcher is owned by the source, called by one flight at a time and never concurrently. It makes one attempt
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
    ///     Ok::<_, BoxError>(Token::new("abc").expires_in(Duration::from_secs(300)))
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
        let core = Arc::new(core);
        Self {
            handle: Arc::new(Handle { core }),
        }
    }

    pub(crate) fn from_handle(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    pub(crate) fn downgrade(&self) -> Weak<Handle> {
        Arc::downgrade(&self.handle)
    }

    fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    /// The current token; waits for a fetch when there is none that may be used, at most `acquire_timeout` (25 s).
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
        let now = self.core().now();
        match self.core().cell.get() {
            Some(issued) if self.serves(&issued, now) => Ok(IssuedToken(issued)),
            _ => self.acquire().await,
        }
    }

    /// Waits until there is a token: for start-up, and for tests. Unlike [`token`](Self::token) it outlasts back-offs;
    /// it has no bound of its own, so wrap it in `tokio::time::timeout`.
    ///
    /// # Errors
    ///
    /// When waiting cannot help: the token endpoint refused for good, or the source is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`token`](Self::token) is.
    pub async fn ready(&self) -> Result<(), OAuthError> {
        loop {
            let error = match self.token().await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if error.class() == Some(crate::FailureClass::Permanent) {
                return Err(error);
            }
            match self.back_off_left() {
                Some(wait) => time::sleep(wait).await,
                // Its own bound passed and the fetch goes on: wait with it.
                None if error.is_timeout() => {}
                None => return Err(error),
            }
        }
    }

    /// Says that the token of this generation is bad, as a 401 would: for callers that find an error inside a 200.
    ///
    /// Only that generation is touched. The same restraint holds as for refusals that the layer sees.
    pub fn invalidate(&self, generation: Generation) {
        self.refused(generation, Refusal::Definite);
    }

    /// Ends a back-off now, for an operator who has mended what was wrong. The next request may fetch.
    pub fn retry_now(&self) {
        self.core().step(|state| state.end_back_off());
        self.core().changes.send_replace(());
    }

    /// Ends what runs in the background, and lets no fetch start again. The current token serves until its end.
    pub fn shutdown(&self) {
        self.core().shut_down();
    }

    /// What the source would say of itself now.
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
        Changes::new(self.downgrade(), self.core().changes.subscribe())
    }

    /// Renews the token ahead of its expiry also when there is no traffic, for a service whose first request after a
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
        super::keep_fresh::run(self.downgrade(), self.core().changes.subscribe())
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.core().step(|state| state.is_shut_down())
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
        self.core().origins.permits(uri).map_err(|foreign| {
            self.core()
                .error(OAuthErrorKind::ForeignOrigin(foreign.to_string()))
        })
    }

    pub(crate) fn permits_origin(&self, origin: &Origin) -> Result<(), ConfigError> {
        let refuse = |rule: String| ConfigError::new("relative_to", rule);
        let uri = origin.to_string().parse();
        let uri = uri.map_err(|_| refuse("must be an origin".into()))?;
        let permitted = self.core().origins.permits(&uri);
        permitted.map_err(|foreign| refuse(foreign.to_string()))
    }

    pub(crate) fn refusal_rule(&self) -> &RefusalRule {
        &self.core().refusal
    }

    /// The hit path: puts the current token on a request if it may be used, and says which it was.
    pub(crate) fn attach(&self, headers: &mut HeaderMap) -> Option<Generation> {
        let now = self.core().now();
        let attached = |issued: &Issued| {
            self.serves(issued, now).then(|| {
                issued.attach(headers);
                issued.generation
            })
        };
        self.core().cell.with(attached).flatten()
    }

    /// A request with this token was answered well.
    pub(crate) fn succeeded(&self, generation: Generation) {
        self.core().succeeded(generation);
    }

    /// Whether a token may be attached without waiting; the first to see a stale one has it renewed.
    fn serves(&self, issued: &Issued, now: Now) -> bool {
        match issued.phase(now) {
            Phase::Fresh => true,
            Phase::Stale => {
                if self.core().may_renew(now) {
                    self.renew_behind();
                }
                true
            }
            Phase::Suspended | Phase::Expired => false,
        }
    }

    /// Starts what is due, and says how long until there may be something to do again.
    pub(crate) fn renew_if_due(&self) -> Duration {
        let now = self.core().now();
        let current = self.core().cell.get();
        let due_in = current.as_deref().map(|issued| match issued.phase(now) {
            Phase::Fresh => issued.refresh_at.remaining(now),
            Phase::Stale | Phase::Suspended | Phase::Expired => Duration::ZERO,
        });
        match due_in {
            Some(wait) if !wait.is_zero() => return wait,
            _ if self.core().may_renew(now) => self.renew_behind(),
            _ => {}
        }
        // Under way, or backing off: the flight's landing is a change, which ends the nap.
        self.back_off_left().unwrap_or(Duration::MAX)
    }

    /// Starts a renewal that nobody waits for, if there is a runtime to do it.
    pub(crate) fn renew_behind(&self) {
        if runtime::Handle::try_current().is_err() {
            return;
        }
        if let Boarding::Started(departure) = self.core().board_behind() {
            // A runtime that is shutting down loses the flight; the next request starts another.
            let _ = launch(self.core(), departure);
        }
    }

    /// The slow path: waits for a token, at most `acquire_timeout`.
    pub(crate) async fn acquire(&self) -> Result<IssuedToken, OAuthError> {
        if runtime::Handle::try_current().is_err() {
            return Err(self.core().error(OAuthErrorKind::NoRuntime));
        }
        let bound = self.core().policy.acquire_timeout;
        let issued = match time::timeout(bound, self.acquire_unbounded()).await {
            Ok(result) => result,
            Err(_) => {
                self.or_serviceable(|| self.core().error(OAuthErrorKind::AcquireTimeout(bound)))
            }
        };
        issued.map(IssuedToken)
    }

    async fn acquire_unbounded(&self) -> Result<Arc<Issued>, OAuthError> {
        loop {
            let flight = match self.core().admit() {
                Admission::Token(issued) => return Ok(issued),
                Admission::Boarding(Boarding::Joined(flight)) => flight,
                Admission::Boarding(Boarding::Started(departure)) => {
                    launch(self.core(), departure)?
                }
                Admission::Boarding(Boarding::Barred(error)) => {
                    return self.or_serviceable(|| error);
                }
            };
            match flight.outcome().await {
                // The cell says whether the token has been refused or has expired meanwhile; if the flight was lost,
                // the first waiter to get here starts another.
                Outcome::Landed | Outcome::Lost => {}
                Outcome::Failed(error) => return self.or_serviceable(|| error),
            }
        }
    }

    /// A request is not failed while there is a token that may yet be good: also a suspended one.
    fn or_serviceable(
        &self,
        error: impl FnOnce() -> OAuthError,
    ) -> Result<Arc<Issued>, OAuthError> {
        self.core().serviceable().ok_or_else(error)
    }

    fn back_off_left(&self) -> Option<Duration> {
        let now = self.core().now();
        self.core().step(|state| {
            let back_off = state.backing_off(now)?;
            Some(back_off.until.saturating_sub(now.monotonic))
        })
    }

    /// Takes note of a refusal. `None`: hand the response on; otherwise a newer token is there or on its way.
    pub(crate) fn refused(&self, generation: Generation, refusal: Refusal) -> Option<Refused> {
        let core = self.core();
        Counters::count(&core.counters.rejections);
        let remedy = match core.refused(generation, refusal) {
            Remedy::HandOn | Remedy::Fetch(Boarding::Barred(_)) => None,
            Remedy::Newer => Some(None),
            Remedy::Fetch(Boarding::Joined(flight)) => Some(Some(flight)),
            Remedy::Fetch(Boarding::Started(departure)) => launch(core, departure).ok().map(Some),
        };
        telemetry::refused(core, generation, refusal, remedy.as_ref());
        core.changes.send_replace(());
        remedy.map(|flight| Refused { generation, flight })
    }

    /// The token to try a refused request again with, if one comes.
    pub(crate) async fn replacement(&self, refused: Refused) -> Option<IssuedToken> {
        if let Some(flight) = refused.flight {
            let bound = self.core().policy.acquire_timeout;
            if let Ok(Outcome::Failed(_)) | Err(_) = time::timeout(bound, flight.outcome()).await {
                return None;
            }
        }
        let issued = self.acquire().await.ok()?;
        let newer = issued.generation() != refused.generation;
        newer.then(|| {
            Counters::count(&self.core().counters.replays);
            telemetry::replayed(self.core(), refused.generation, issued.generation());
            issued
        })
    }
}

/// A refused request that may be tried again: with the token that is there, or the one that this flight brings.
pub(crate) struct Refused {
    generation: Generation,
    flight: Option<Arc<Flight>>,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("name", &self.core().name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
