use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::StatusCode;

use super::{BoxError, FailureClass, FetchError, OAuthErrorKind, causes, text};

/// Why a request could not be given a token.
///
/// It is cheap to clone, since every request that waited for a failed fetch gets the same one. Services return it
/// boxed; [`OAuthError::find`] finds it again under whatever other layers wrapped around it.
///
/// Its `Display` is one line, for logs and for `main`: the source's name, the step and the place, the cause, what to
/// check, and when the next attempt is made. [`source`](Error::source) is therefore always `None`: the cause as a value
/// is behind [`fetch_error`](Self::fetch_error). It never holds a secret or a token, and of a token endpoint's answer no
/// more than its `error` code and its [description](FetchError::description).
///
/// # Examples
///
/// What a service that calls a bank answers its own callers:
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
    /// The waiter's own bound passed; the fetch goes on.
    AcquireTimeout(Duration),
    /// The request is for an origin that the token is not for; the text says which rule it broke.
    ForeignOrigin(String),
    /// The fetcher's `poll_ready` failed: a Tower service must not be called after that.
    FetcherClosed(BoxError),
    /// The fetcher panicked at this attempt.
    FetcherPanicked(u32),
    ShutDown,
    NoRuntime,
}

/// When the source may contact the token endpoint again.
pub(crate) struct NextAttempt {
    pub(crate) at: SystemTime,
    pub(crate) back_off: Duration,
    /// How long until then, by the source's own clock.
    pub(crate) left: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl OAuthError {
    /// Finds an `OAuthError` in an error or in anything that caused it.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|error| error.downcast_ref())
    }

    /// Returns the name of the source, such as `anbima`.
    pub fn source_name(&self) -> &str {
        &self.inner.source_name
    }

    /// Returns why there is no token, as a word to count by.
    pub fn kind(&self) -> OAuthErrorKind {
        match &self.inner.reason {
            Reason::Fetch { error, .. } => error.kind().into(),
            Reason::AcquireTimeout(_) => OAuthErrorKind::TimedOut,
            Reason::ForeignOrigin(_) => OAuthErrorKind::ForeignOrigin,
            Reason::FetcherClosed(_) | Reason::ShutDown => OAuthErrorKind::Closed,
            Reason::FetcherPanicked(_) => OAuthErrorKind::Fetcher,
            Reason::NoRuntime => OAuthErrorKind::NoRuntime,
        }
    }

    /// Returns the failure's class, when a fetch failed.
    pub fn class(&self) -> Option<FailureClass> {
        self.inner.reason.class()
    }

    /// Whether waiting took too long: the fetch passed its own bound, or the request passed `timeouts.acquire`.
    pub fn is_timeout(&self) -> bool {
        self.kind() == OAuthErrorKind::TimedOut
    }

    /// Whether the token endpoint answered, and said no: to the credentials, the scopes, the rate.
    pub fn is_denied(&self) -> bool {
        self.kind() == OAuthErrorKind::Denied
    }

    /// Whether the token endpoint answered with something that is not a usable token.
    pub fn is_malformed(&self) -> bool {
        self.kind() == OAuthErrorKind::Malformed
    }

    /// Whether the token endpoint could not be reached, its answer broke off, or it said that it is out of order (5xx).
    pub fn is_unavailable(&self) -> bool {
        self.kind() == OAuthErrorKind::Unavailable
    }

    /// Whether the request is for an origin that the token may not be sent to. Nothing was sent.
    pub fn is_foreign_origin(&self) -> bool {
        self.kind() == OAuthErrorKind::ForeignOrigin
    }

    /// Whether the source is finished for good: it was shut down, or its fetcher reported itself closed.
    pub fn is_closed(&self) -> bool {
        self.kind() == OAuthErrorKind::Closed
    }

    /// Returns what the fetch failed with, for its status, its RFC 6749 code, its advice and its cause.
    pub fn fetch_error(&self) -> Option<&FetchError> {
        match &self.inner.reason {
            Reason::Fetch { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns how many attempts the failed fetch made; 0 when no fetch failed.
    pub fn attempts(&self) -> u32 {
        match self.inner.reason {
            Reason::Fetch { attempts, .. } | Reason::FetcherPanicked(attempts) => attempts,
            _ => 0,
        }
    }

    /// Returns when the source may contact the token endpoint again; until then, requests without a token get this same
    /// error at once. `None` when waiting is not what the error is about.
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.inner.next.as_ref().map(|next| next.at)
    }

    /// Returns how long it is, from now, until [`retry_at`](Self::retry_at): zero once that has passed, `None` when
    /// waiting is not what the error is about. Round it up for a `Retry-After`, which has whole seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.next.as_ref().map(|next| (next.left)())
    }

    /// Returns the status to answer your own caller with, when you call an API for somebody else:
    ///
    /// - `500` for what somebody must fix: a [permanent](FailureClass::Permanent) failure, a foreign origin, a closed
    ///   source, a call outside a Tokio runtime;
    /// - `504` for a time-out;
    /// - `503` while the source backs off: send a `Retry-After` with it, from [`retry_after`](Self::retry_after).
    ///
    /// It is never the status of the token endpoint's answer: that is [`FetchError::status`].
    pub fn suggested_status(&self) -> StatusCode {
        if self.class() == Some(FailureClass::Permanent) {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        match self.kind() {
            OAuthErrorKind::ForeignOrigin | OAuthErrorKind::Closed | OAuthErrorKind::NoRuntime => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            OAuthErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the `Display` without its advice and without the time of the next attempt, for tools that give advice of
    /// their own.
    pub fn summary(&self) -> String {
        let cause = match &self.inner.reason {
            Reason::Fetch { error, .. } => error.cause(),
            Reason::FetcherClosed(source) => Some(text::chain(source.as_ref())),
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

    fn advice(&self) -> Option<&'static str> {
        match &self.inner.reason {
            Reason::Fetch { error, .. } => error.advice(),
            Reason::FetcherClosed(_) => Some("Build a new source"),
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
            Self::AcquireTimeout(_) | Self::ForeignOrigin(_) | Self::ShutDown | Self::NoRuntime => {
                None
            }
        }
    }

    /// When to look again, for a failure that another replica met.
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
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch { error, .. } => error.fmt(f),
            Self::AcquireTimeout(bound) => {
                write!(
                    f,
                    "no token within timeouts.acquire ({bound:?}); the fetch goes on"
                )
            }
            Self::ForeignOrigin(rule) => write!(f, "token not sent: {rule}"),
            Self::FetcherClosed(_) => {
                f.write_str("the token fetcher is closed (its poll_ready failed)")
            }
            Self::FetcherPanicked(_) => f.write_str("the token fetcher panicked"),
            Self::ShutDown => f.write_str("the token source was shut down"),
            Self::NoRuntime => f.write_str(
                "a token must be fetched, and the call was made outside a Tokio runtime",
            ),
        }
    }
}

/// Sentences, of which a single one has no full stop.
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

/// As a `main` that returns it prints it.
impl fmt::Debug for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for OAuthError {}
