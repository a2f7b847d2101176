use std::{borrow::Cow, error::Error, fmt, time::Duration};

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{BoxError, FetchErrorKind, text};

#[cfg(feature = "client-credentials")]
mod answer;

/// The advice for an endpoint that could not be reached, or did not answer.
pub(crate) const CHECK_NETWORK: &str =
    "Check the host and port of the token URL, the network and the proxy";

/// How a failed fetch is treated: whether it is tried again at once, and how long the source backs off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// A temporary failure: no connection, a time-out, 408, 425, 429, 5xx, or a code such as `temporarily_unavailable`.
    /// It is tried again within the same fetch.
    Transient,
    /// A failure of unknown nature. It is not tried again within the fetch, since banks answer an empty 400 or 403 to a
    /// client that sends too many requests.
    Unclear,
    /// A failure that only a change of configuration can fix: a code such as `invalid_client`, a token URL that does
    /// not exist (404, 405, 410), a client certificate that the server rejects.
    Permanent,
}

impl FailureClass {
    /// Its name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Unclear => "unclear",
            Self::Permanent => "permanent",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why one attempt to fetch a token failed, in terms that the lifecycle can act on.
///
/// A fetcher may return any error; one that is not a `FetchError` counts as [`FailureClass::Unclear`], except for
/// tower's own time-out ([`FailureClass::Transient`]). Return a `FetchError` to say more.
///
/// Errors and logs show the error that you give to a constructor, with its causes: put no secret into it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::{FailureClass, FetchError};
///
/// let sealed = FetchError::transient("the vault is sealed").with_retry_after(Duration::from_secs(30));
/// assert_eq!(sealed.class(), FailureClass::Transient);
/// assert_eq!(sealed.retry_after(), Some(Duration::from_secs(30)));
/// assert_eq!(sealed.to_string(), "the fetcher failed");
/// assert_eq!(std::error::Error::source(&sealed).unwrap().to_string(), "the vault is sealed");
/// ```
#[derive(Debug)]
pub struct FetchError {
    class: FailureClass,
    kind: FetchErrorKind,
    message: Cow<'static, str>,
    status: Option<StatusCode>,
    code: Option<Box<str>>,
    description: Option<Box<str>>,
    advice: Option<Cow<'static, str>>,
    certificate_rejected: bool,
    retry_after: Option<Duration>,
    retry_within_fetch: bool,
    without_life: bool,
    /// The failure is another client's: this one sent nothing.
    of_another: bool,
    source: Option<BoxError>,
}

impl FetchError {
    /// Creates a temporary failure. It is tried again within the fetch. Default: up to three attempts.
    pub fn transient(error: impl Into<BoxError>) -> Self {
        Self::other(FailureClass::Transient, error.into())
    }

    /// Creates a failure of unknown nature. It is not tried again within the fetch. Default: a back-off from 5 s to 60
    /// s.
    pub fn unclear(error: impl Into<BoxError>) -> Self {
        Self::other(FailureClass::Unclear, error.into())
    }

    /// Creates a failure that only a change of configuration can fix. Default: a back-off from 5 s to 5 minutes.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::other(FailureClass::Permanent, error.into())
    }

    /// Sets how long the server asked the client to wait. The wait is honoured up to a cap. Default: 5 minutes. A wait
    /// of up to 5 s happens within the fetch; a longer one ends the fetch.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Returns what went wrong, as a word to count by.
    pub fn kind(&self) -> FetchErrorKind {
        self.kind
    }

    /// Returns how the failure is treated.
    pub fn class(&self) -> FailureClass {
        self.class
    }

    /// Returns the status of the token endpoint's answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Returns the RFC 6749 `error` code of the token endpoint's answer: at most 64 characters, visible ASCII.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the answer's `error_description`: one line of at most 200 characters. The client's own secrets are left
    /// out, and so is every word of 20 characters or more that could be a token. It is part of the `Display`.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Returns what to check or to change, in one sentence without its full stop, if the failure shows it. It names
    /// fields of the [`Dialect`](crate::client_credentials::Dialect). A tool whose options have other names can write
    /// its own advice.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// Returns how long the server asked the client to wait, uncapped.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns whether the TLS handshake failed because the server rejected the client certificate, or required one.
    pub fn is_certificate_rejected(&self) -> bool {
        self.certificate_rejected
    }

    pub(crate) fn new(
        class: FailureClass,
        kind: FetchErrorKind,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            class,
            kind,
            message: message.into(),
            status: None,
            code: None,
            description: None,
            advice: None,
            certificate_rejected: false,
            retry_after: None,
            retry_within_fetch: true,
            without_life: false,
            of_another: false,
            source: None,
        }
    }

    /// The answer was not a token. `what` names the broken rule and never quotes the answer.
    pub(crate) fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FailureClass::Unclear, FetchErrorKind::Malformed, what)
    }

    /// The answer holds a token and says that it has expired.
    pub(crate) fn without_life(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            without_life: true,
            ..Self::malformed(what)
        }
    }

    pub(crate) fn timed_out(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FailureClass::Transient, FetchErrorKind::TimedOut, what)
    }

    /// The client's assertion could not be signed. The signer's own `FetchError` keeps its class and its wait.
    #[cfg(feature = "jwt")]
    pub(crate) fn unsigned(error: BoxError) -> Self {
        let signers = Self::from_fetcher(error);
        let unsigned = Self {
            kind: FetchErrorKind::Signer,
            message: "the assertion could not be signed".into(),
            ..signers
        };
        unsigned.with_advice("Check the signer: nothing was sent to the token endpoint")
    }

    pub(crate) fn with_advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the token endpoint's host and port.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.message = match self.status {
            None => format!("{} ({place})", self.message),
            Some(_) => format!("{} of {place}", self.message),
        }
        .into();
        self
    }

    /// A failure that another replica met: it ends the fetch, and the store is read again after `wait`. Its code is as
    /// that replica showed it.
    #[cfg(feature = "redis")]
    pub(crate) fn of_another_replica(mut self, code: Option<&str>, wait: Duration) -> Self {
        self.code = code.map(Into::into);
        self.of_another = true;
        self.retry_after = Some(wait);
        self.retry_within_fetch = false;
        self
    }

    /// No token request was sent: the endpoint told another client of this process to wait.
    pub(crate) fn held_back(why: impl fmt::Display, wait: Duration) -> Self {
        let message = format!("no token request was sent: {why}, and all clients wait");
        Self {
            of_another: true,
            retry_after: Some(wait),
            retry_within_fetch: false,
            ..Self::new(
                FailureClass::Transient,
                FetchErrorKind::Unavailable,
                message,
            )
        }
    }

    /// How long to wait after a failure that another client or another replica met. It does not count as one of this
    /// client.
    pub(crate) fn look_again_after(&self) -> Option<Duration> {
        self.retry_after.filter(|_| self.of_another)
    }

    /// Says first what was being done. A fetcher's own error has no message of its own.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn during(mut self, step: &'static str) -> Self {
        self.message = match self.kind {
            FetchErrorKind::Fetcher => step.into(),
            _ => format!("{step}: {}", self.message).into(),
        };
        self
    }

    /// Whether the token endpoint denied the credential, or may have, so that another one may be accepted at once. A
    /// wait that it asked for is honoured with any credential.
    pub(crate) fn is_denial(&self) -> bool {
        let may_be_one = self.kind == FetchErrorKind::Denied && self.class == FailureClass::Unclear;
        self.retry_after.is_none() && (self.class == FailureClass::Permanent || may_be_one)
    }

    /// Whether the answer was a token that has expired: see [`without_life`](Self::without_life).
    pub(crate) fn is_without_life(&self) -> bool {
        self.without_life
    }

    pub(crate) fn may_retry_within_fetch(&self) -> bool {
        self.retry_within_fetch && self.class == FailureClass::Transient
    }

    /// The cause in one line: the whole chain of a custom fetcher's error, the innermost cause of an HTTP client's.
    pub(crate) fn cause(&self) -> Option<String> {
        let source = self.source.as_deref()?;
        Some(match self.kind {
            FetchErrorKind::Fetcher | FetchErrorKind::Signer => text::chain(source),
            _ => text::root(source),
        })
    }

    /// Reads the error of a fetcher: a `FetchError` unchanged, tower's time-out as a time-out, anything else as
    /// unclear.
    pub(crate) fn from_fetcher(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(known) => *known,
            Err(other) if other.is::<tower::timeout::error::Elapsed>() => {
                Self::timed_out("the fetcher's own time-out passed")
            }
            Err(other) => Self::unclear(other),
        }
    }

    fn other(class: FailureClass, error: BoxError) -> Self {
        Self::new(class, FetchErrorKind::Fetcher, "the fetcher failed").with_source(error)
    }
}

/// The message, without causes and advice.
impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        if let Some(status) = self.status {
            write!(f, " (HTTP {})", status.as_u16())?;
        }
        match &self.description {
            Some(description) => write!(f, ": \"{description}\""),
            None => Ok(()),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
