use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{BoxError, FailureClass, FetchError, FetchErrorKind, causes};

/// Why a request could not be given a token.
///
/// It is cheap to clone, since every request that waited for a failed fetch gets the same one. Services return it
/// boxed; [`OAuthError::find`] finds it again under whatever other layers wrapped around it.
///
/// Its `Display` names the source, the step and what was wrong, and says when the next try may be made. It never
/// holds a secret, a token or the body of a token endpoint's answer.
///
/// # Examples
///
/// What a service that calls a bank answers its own callers:
///
/// ```
/// use http::StatusCode;
/// use tower_oauth::{BoxError, FailureClass, OAuthError};
///
/// fn status_for(error: &BoxError) -> StatusCode {
///     let Some(oauth) = OAuthError::find(error.as_ref()) else {
///         return StatusCode::BAD_GATEWAY; // the HTTP client's own error
///     };
///     let misconfigured = oauth.class() == Some(FailureClass::Permanent)
///         || oauth.is_foreign_origin()
///         || oauth.is_closed();
///     match oauth.retry_at() {
///         _ if misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
///         _ if oauth.is_timeout() => StatusCode::GATEWAY_TIMEOUT,
///         Some(_at) => StatusCode::SERVICE_UNAVAILABLE, // with `Retry-After`
///         None => StatusCode::BAD_GATEWAY,
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
    kind: OAuthErrorKind,
    retry_at: Option<SystemTime>,
}

#[derive(Debug)]
pub(crate) enum OAuthErrorKind {
    /// A flight ended without a token, after this many attempts.
    Fetch {
        error: FetchError,
        attempts: u32,
    },
    /// The waiter's own bound passed; the flight goes on.
    AcquireTimeout(Duration),
    /// The request is for an origin that the token is not for; the text says which rule it broke.
    ForeignOrigin(String),
    /// The fetcher's `poll_ready` failed: a Tower service must not be called after that.
    FetcherClosed(BoxError),
    FetcherPanicked,
    ShutDown,
    NoRuntime,
}

impl OAuthError {
    /// Finds an `OAuthError` in an error or in anything that caused it.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|error| error.downcast_ref())
    }

    /// The name of the source, such as `anbima`.
    pub fn source_name(&self) -> &str {
        &self.inner.source_name
    }

    /// Waiting took too long: the fetch passed its own bound, or the request passed `acquire_timeout`.
    pub fn is_timeout(&self) -> bool {
        matches!(self.inner.kind, OAuthErrorKind::AcquireTimeout(_))
            || self.has_fetch_kind(FetchErrorKind::TimedOut)
    }

    /// The token endpoint answered, and refused: the credentials, the scopes, the rate.
    pub fn is_denied(&self) -> bool {
        self.has_fetch_kind(FetchErrorKind::Denied)
    }

    /// The token endpoint answered with something that is not a usable token.
    pub fn is_malformed(&self) -> bool {
        self.has_fetch_kind(FetchErrorKind::Malformed)
    }

    /// The token endpoint could not be reached, its answer broke off, or it said that it is out of order (5xx).
    pub fn is_unavailable(&self) -> bool {
        self.has_fetch_kind(FetchErrorKind::Unavailable)
    }

    /// The request is for an origin that the token may not be sent to. Nothing was sent.
    pub fn is_foreign_origin(&self) -> bool {
        matches!(self.inner.kind, OAuthErrorKind::ForeignOrigin(_))
    }

    /// The source is finished for good: it was shut down, or its fetcher reported itself closed.
    pub fn is_closed(&self) -> bool {
        matches!(
            self.inner.kind,
            OAuthErrorKind::ShutDown | OAuthErrorKind::FetcherClosed(_)
        )
    }

    /// The failure's class, when a fetch failed.
    pub fn class(&self) -> Option<FailureClass> {
        self.fetch_error().map(FetchError::class)
    }

    /// What the fetch failed with, for its status, its RFC 6749 code and its description.
    pub fn fetch_error(&self) -> Option<&FetchError> {
        match &self.inner.kind {
            OAuthErrorKind::Fetch { error, .. } => Some(error),
            _ => None,
        }
    }

    /// When the source may contact the token endpoint again; until then, requests without a token get this same
    /// error at once. `None` when waiting is not what the error is about.
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.inner.retry_at
    }

    /// A word for counting: `timeout`, `denied`, `malformed`, `unavailable`, `foreign_origin`, `closed`, `fetcher`,
    /// `no_runtime`.
    pub fn kind(&self) -> &'static str {
        match &self.inner.kind {
            OAuthErrorKind::AcquireTimeout(_) => "timeout",
            OAuthErrorKind::ForeignOrigin(_) => "foreign_origin",
            OAuthErrorKind::FetcherClosed(_) | OAuthErrorKind::ShutDown => "closed",
            OAuthErrorKind::FetcherPanicked => "fetcher",
            OAuthErrorKind::NoRuntime => "no_runtime",
            OAuthErrorKind::Fetch { error, .. } => match error.kind() {
                FetchErrorKind::Denied => "denied",
                FetchErrorKind::Malformed => "malformed",
                FetchErrorKind::TimedOut => "timeout",
                FetchErrorKind::Unavailable => "unavailable",
                FetchErrorKind::Other => "fetcher",
            },
        }
    }

    pub(crate) fn new(source_name: Arc<str>, kind: OAuthErrorKind) -> Self {
        Self::with_retry_at(source_name, kind, None)
    }

    pub(crate) fn with_retry_at(
        source_name: Arc<str>,
        kind: OAuthErrorKind,
        retry_at: Option<SystemTime>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                source_name,
                kind,
                retry_at,
            }),
        }
    }

    fn has_fetch_kind(&self, kind: FetchErrorKind) -> bool {
        self.fetch_error().is_some_and(|error| error.kind() == kind)
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.inner.source_name;
        match &self.inner.kind {
            OAuthErrorKind::Fetch { error, attempts } => {
                write!(f, "{name}: no token after {attempts} attempt(s): {error}")?;
            }
            OAuthErrorKind::AcquireTimeout(bound) => write!(
                f,
                "{name}: no token within acquire_timeout ({bound:?}); the fetch goes on"
            )?,
            OAuthErrorKind::ForeignOrigin(rule) => write!(f, "{name}: token not sent: {rule}")?,
            OAuthErrorKind::FetcherClosed(_) => write!(
                f,
                "{name}: the token fetcher is closed (its poll_ready failed); build a new source"
            )?,
            OAuthErrorKind::FetcherPanicked => write!(f, "{name}: the token fetcher panicked")?,
            OAuthErrorKind::ShutDown => write!(f, "{name}: the token source was shut down")?,
            OAuthErrorKind::NoRuntime => write!(
                f,
                "{name}: a token must be fetched, and no tokio runtime is here to do it"
            )?,
        }
        match self.inner.retry_at.map(jiff::Timestamp::try_from) {
            Some(Ok(at)) => write!(f, "; next try not before {at:.3}"),
            _ => Ok(()),
        }
    }
}

/// As a `main` that returns it prints it: what `Display` says, and each cause.
impl fmt::Debug for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        causes(self)
            .skip(1)
            .try_for_each(|cause| write!(f, "; because: {cause}"))
    }
}

impl Error for OAuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.inner.kind {
            // The fetch error's own words are part of this error's `Display`: only what is beneath it follows.
            OAuthErrorKind::Fetch { error, .. } => error.source(),
            OAuthErrorKind::FetcherClosed(source) => Some(source.as_ref() as _),
            _ => None,
        }
    }
}
