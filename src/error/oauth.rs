use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::StatusCode;

use super::{BoxError, FailureClass, FetchError, OAuthErrorKind, causes, text};

/// Why a request got no token.
///
/// Every request that waited for a failed fetch gets the same error, so it is cheap to clone. Services return it boxed;
/// [`OAuthError::find`] finds it in the errors of other layers.
///
/// Its `Display` is one line for logs: the source's name, the step and the place, the cause, what to check, and when
/// the next attempt is made. The line contains all causes, so [`source`](Error::source) is always `None`;
/// [`fetch_error`](Self::fetch_error) returns the cause as a value. The error never holds a secret or a token. Of a
/// token endpoint's answer it shows only the `error` code and the [description](FetchError::description).
///
/// # Examples
///
/// The status that a service answers to its own callers:
///
/// ```
/// use http::StatusCode;
/// use tower_oauth::{BoxError, OAuthError};
///
/// fn status_for(error: &BoxError) -> StatusCode {
///     match OAuthError::find(error.as_ref()) {
///         Some(oauth) => oauth.suggested_status(), // a 503 with `Retry-After`: `oauth.retry_after()`
///         None => StatusCode::BAD_GATEWAY,         // the HTTP client's own error
///     }
/// }
///
/// assert_eq!(status_for(&"connection reset".into()), StatusCode::BAD_GATEWAY);
/// ```
#[derive(Clone)]
pub struct OAuthError {
    inner: Arc<Inner>,
}

struct Inner {
    source_name: Arc<str>,
    reason: Reason,
    next: Option<NextAttempt>,
}

#[derive(Debug)]
pub(crate) enum Reason {
    /// A fetch ended without a token, after this many attempts.
    Fetch {
        error: FetchError,
        attempts: u32,
    },
    /// The request waited too long. The fetch goes on, or has not begun, because the token endpoint has a queue.
    AcquireTimeout {
        bound: Duration,
        queued: bool,
    },
    /// The token may not be sent to the request's origin. The text names the broken rule.
    ForeignOrigin(String),
    /// The fetcher's `poll_ready` failed: a Tower service must not be called after that.
    FetcherClosed(BoxError),
    /// The fetcher panicked at this attempt.
    FetcherPanicked(u32),
    ShutDown,
    /// The function that makes a pool's sources failed for this key.
    #[cfg(feature = "pool")]
    SourceNotMade(BoxError),
    /// The request's extensions hold no source.
    NoSource,
    NoRuntime,
}

/// When the source may contact the token endpoint again.
pub(crate) struct NextAttempt {
    pub(crate) at: SystemTime,
    pub(crate) back_off: Duration,
    /// How long until then, by the source's clock.
    pub(crate) left: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl OAuthError {
    /// Finds an `OAuthError` in an error or in its causes.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|error| error.downcast_ref())
    }

    /// Returns the name of the source, such as `anbima`.
    pub fn source_name(&self) -> &str {
        &self.inner.source_name
    }

    /// Returns why there is no token, as a word for metrics.
    pub fn kind(&self) -> OAuthErrorKind {
        match &self.inner.reason {
            Reason::Fetch { error, .. } => error.kind().into(),
            Reason::AcquireTimeout { .. } => OAuthErrorKind::TimedOut,
            Reason::ForeignOrigin(_) => OAuthErrorKind::ForeignOrigin,
            Reason::FetcherClosed(_) | Reason::ShutDown => OAuthErrorKind::Closed,
            Reason::FetcherPanicked(_) => OAuthErrorKind::Fetcher,
            #[cfg(feature = "pool")]
            Reason::SourceNotMade(_) => OAuthErrorKind::SourceNotMade,
            Reason::NoSource => OAuthErrorKind::NoSource,
            Reason::NoRuntime => OAuthErrorKind::NoRuntime,
        }
    }

    /// Returns the class of the failure, if a fetch failed.
    pub fn class(&self) -> Option<FailureClass> {
        self.inner.reason.class()
    }

    /// Whether the wait took too long: the fetch passed its bound, or the request passed `timeouts.acquire`.
    pub fn is_timeout(&self) -> bool {
        self.kind() == OAuthErrorKind::TimedOut
    }

    /// Whether the token endpoint denied the request: the credentials, the scopes or the rate.
    pub fn is_denied(&self) -> bool {
        self.kind() == OAuthErrorKind::Denied
    }

    /// Whether the token endpoint's answer is not a usable token.
    pub fn is_malformed(&self) -> bool {
        self.kind() == OAuthErrorKind::Malformed
    }

    /// Whether the token endpoint could not be reached, its answer broke off, or it answered 5xx.
    pub fn is_unavailable(&self) -> bool {
        self.kind() == OAuthErrorKind::Unavailable
    }

    /// Whether the token may not be sent to the request's origin. Nothing was sent.
    pub fn is_foreign_origin(&self) -> bool {
        self.kind() == OAuthErrorKind::ForeignOrigin
    }

    /// Whether the source is closed for good: it was shut down, or its fetcher's `poll_ready` failed.
    pub fn is_closed(&self) -> bool {
        self.kind() == OAuthErrorKind::Closed
    }

    /// Returns the error of the fetch. It has the status, the RFC 6749 code, the advice and the cause.
    pub fn fetch_error(&self) -> Option<&FetchError> {
        match &self.inner.reason {
            Reason::Fetch { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns how many attempts the failed fetch made; 0 if no fetch failed.
    pub fn attempts(&self) -> u32 {
        match self.inner.reason {
            Reason::Fetch { attempts, .. } | Reason::FetcherPanicked(attempts) => attempts,
            _ => 0,
        }
    }

    /// Returns when the source may contact the token endpoint again. Until then, requests without a token get this same
    /// error at once. `None` if waiting does not help.
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.inner.next.as_ref().map(|next| next.at)
    }

    /// Returns the time from now until [`retry_at`](Self::retry_at): zero if that has passed, `None` if waiting does
    /// not help. Round it up for a `Retry-After`, which has whole seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.next.as_ref().map(|next| (next.left)())
    }

    /// Returns the status to answer your own caller with:
    ///
    /// - `500` for what needs a fix: a [permanent](FailureClass::Permanent) failure, a foreign origin, a closed source,
    ///   a request without its source, a call outside a Tokio runtime;
    /// - `504` for a time-out;
    /// - `503` for everything else, such as a back-off, or a pool's source that could not be made. If
    ///   [`retry_after`](Self::retry_after) is known, send it as `Retry-After`.
    ///
    /// It is not the status of the token endpoint's answer, which [`FetchError::status`] returns.
    pub fn suggested_status(&self) -> StatusCode {
        if self.class() == Some(FailureClass::Permanent) {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        match self.kind() {
            OAuthErrorKind::ForeignOrigin
            | OAuthErrorKind::Closed
            | OAuthErrorKind::NoSource
            | OAuthErrorKind::NoRuntime => StatusCode::INTERNAL_SERVER_ERROR,
            OAuthErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the code of the gRPC status for callers that expect one. `tonic::Code::from_i32` takes it:
    ///
    /// - `16`, `UNAUTHENTICATED`, if the token endpoint denied the request, unless the denial is
    ///   [temporary](FailureClass::Transient);
    /// - `13`, `INTERNAL`, for everything else for which [`suggested_status`](Self::suggested_status) returns 500;
    /// - `14`, `UNAVAILABLE`, for everything temporary: a back-off, a time-out, an endpoint that cannot be reached.
    ///
    /// [The guide](crate::guide::grpc) shows a tonic client that uses it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower::service_fn;
    /// # use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
    /// # let fetcher = service_fn(async |_: TokenRequest| Ok::<_, BoxError>(Token::new("abc")));
    /// let source = TokenSource::builder(fetcher).origin("https://grpc.example").build()?;
    /// let error = source.permits(&"https://elsewhere.example/".parse()?).unwrap_err();
    /// assert_eq!(error.suggested_grpc_code(), 13);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn suggested_grpc_code(&self) -> i32 {
        const INTERNAL: i32 = 13;
        const UNAVAILABLE: i32 = 14;
        const UNAUTHENTICATED: i32 = 16;
        let may_pass = self.class() == Some(FailureClass::Transient);
        match self.suggested_status() {
            _ if self.is_denied() && !may_pass => UNAUTHENTICATED,
            StatusCode::INTERNAL_SERVER_ERROR => INTERNAL,
            _ => UNAVAILABLE,
        }
    }

    /// Returns the `Display` without its advice and without the time of the next attempt. Use it in tools that give
    /// their own advice.
    pub fn summary(&self) -> String {
        let cause = match &self.inner.reason {
            Reason::Fetch { error, .. } => error.cause(),
            Reason::FetcherClosed(source) => Some(text::chain(source.as_ref())),
            #[cfg(feature = "pool")]
            Reason::SourceNotMade(source) => Some(text::chain(source.as_ref())),
            _ => None,
        };
        let name = self.source_name();
        match cause {
            Some(cause) => format!("{name}: {}: {cause}", self.inner.reason),
            None => format!("{name}: {}", self.inner.reason),
        }
    }

    pub(crate) fn new(source_name: Arc<str>, reason: Reason, next: Option<NextAttempt>) -> Self {
        Self {
            inner: Arc::new(Inner {
                source_name,
                reason,
                next,
            }),
        }
    }

    /// Whether no token request was sent, because the endpoint is paused for all its clients.
    pub(crate) fn is_held_back(&self) -> bool {
        self.inner.reason.look_again_after().is_some() && self.attempts() == 0
    }

    pub(crate) fn advice(&self) -> Option<&str> {
        match &self.inner.reason {
            Reason::Fetch { error, .. } => error.advice(),
            Reason::FetcherClosed(_) => Some("Build a new source"),
            Reason::NoSource => {
                Some("Insert a `TokenSource` into them before the request reaches the layer")
            }
            _ => None,
        }
    }
}

impl Reason {
    pub(crate) fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Fetch { error, .. } => Some(error.class()),
            Self::FetcherPanicked(_) => Some(FailureClass::Unclear),
            Self::FetcherClosed(_) => Some(FailureClass::Permanent),
            #[cfg(feature = "pool")]
            Self::SourceNotMade(_) => Some(FailureClass::Unclear),
            Self::AcquireTimeout { .. }
            | Self::ForeignOrigin(_)
            | Self::ShutDown
            | Self::NoSource
            | Self::NoRuntime => None,
        }
    }

    /// When to look again, for a failure that another client or another replica met.
    pub(crate) fn look_again_after(&self) -> Option<Duration> {
        match self {
            Self::Fetch { error, .. } => error.look_again_after(),
            _ => None,
        }
    }

    /// How long the token endpoint asked the client to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Fetch { error, .. } => error.retry_after(),
            _ => None,
        }
    }

    /// Whether another credential may be accepted at once.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(self, Self::Fetch { error, .. } if error.is_denial())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch { error, .. } => error.fmt(f),
            Self::AcquireTimeout { bound, queued } => {
                let goes_on = match queued {
                    false => "the fetch goes on",
                    true => "the fetch waits for its turn at the token endpoint, and keeps it",
                };
                write!(f, "no token within timeouts.acquire ({bound:?}); {goes_on}")
            }
            Self::ForeignOrigin(rule) => write!(f, "token not sent: {rule}"),
            Self::FetcherClosed(_) => {
                f.write_str("the token fetcher is closed (its poll_ready failed)")
            }
            Self::FetcherPanicked(_) => f.write_str("the token fetcher panicked"),
            #[cfg(feature = "pool")]
            Self::SourceNotMade(_) => f.write_str("the source could not be made"),
            Self::ShutDown => f.write_str("the token source was shut down"),
            Self::NoSource => f.write_str("the request's extensions hold no token source"),
            Self::NoRuntime => f.write_str(
                "a token must be fetched, and the call was made outside a Tokio runtime",
            ),
        }
    }
}

/// A single sentence has no full stop at its end.
impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        let advice = self.advice();
        if let Some(advice) = advice {
            write!(f, ". {advice}")?;
        }
        let attempts = self.attempts();
        if attempts > 1 {
            write!(f, ". Tried {attempts} times")?;
        }
        if let Some(next) = &self.inner.next {
            write!(f, ". {next}")?;
        }
        let one_sentence = advice.is_none() && attempts <= 1 && self.inner.next.is_none();
        f.write_str(if one_sentence { "" } else { "." })
    }
}

impl fmt::Display for NextAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let back_off = self.back_off.as_millis().div_ceil(1000);
        match jiff::Timestamp::try_from(self.at) {
            Ok(at) => write!(f, "Next attempt at {at:.3} (back-off: {back_off} s)"),
            Err(_) => write!(f, "Next attempt after a back-off of {back_off} s"),
        }
    }
}

/// The output of a `main` that returns the error.
impl fmt::Debug for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for OAuthError {}
