use std::{borrow::Cow, error::Error, fmt, time::Duration};

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::BoxError;

/// The longest part of an RFC 6749 `error` code that is ever shown.
const LONGEST_CODE: usize = 64;

/// How a failed fetch is treated: whether it is tried again at once, and how long the source backs off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// Passing trouble (a connection, a time-out, 408, 425, 429, 5xx): tried again within the same flight.
    Transient,
    /// Anything that does not say what it is. Not tried again within the flight, since banks answer an empty 400 or
    /// 403 to a client that asks too often.
    Unclear,
    /// The token endpoint said, in RFC 6749's words, that asking again cannot help until somebody mends the
    /// configuration.
    Permanent,
}

impl FailureClass {
    /// The name that logs use.
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

/// What went wrong, for the questions that [`OAuthError`](crate::OAuthError) answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchErrorKind {
    /// The token endpoint answered, and the answer was no.
    Denied,
    /// The token endpoint answered with something that is not a token.
    Malformed,
    TimedOut,
    /// The token endpoint is not at work, or not to be reached: connect, reset, TLS, 5xx.
    Unavailable,
    /// The fetcher said so itself, without telling us more.
    Other,
}

/// Why one attempt to fetch a token failed, in terms that the lifecycle can act on.
///
/// A fetcher may return any error; one that is not a `FetchError` counts as [`FailureClass::Unclear`], except for
/// tower's own time-out ([`FailureClass::Transient`]). Return a `FetchError` to say more.
///
/// The message and the source are shown in errors and logs: put no secret into them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::{FailureClass, FetchError};
///
/// let sealed = FetchError::transient("the vault is sealed").retry_after(Duration::from_secs(30));
/// assert_eq!(sealed.class(), FailureClass::Transient);
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
    description: Option<Description>,
    retry_after: Option<Duration>,
    retry_within_flight: bool,
    without_life: bool,
    source: Option<BoxError>,
}

impl FetchError {
    /// Passing trouble: tried again within the flight, up to three attempts by default.
    pub fn transient(error: impl Into<BoxError>) -> Self {
        Self::other(FailureClass::Transient, error.into())
    }

    /// Trouble of unknown nature: not tried again within the flight, back-off from 5 s to 60 s.
    pub fn unclear(error: impl Into<BoxError>) -> Self {
        Self::other(FailureClass::Unclear, error.into())
    }

    /// Trouble that only a change of configuration can mend: back-off from 5 s to 5 minutes.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::other(FailureClass::Permanent, error.into())
    }

    /// Says when the server wants to be asked again. It is waited for, capped at 5 minutes, and never cut short; up
    /// to 5 s are waited within the flight, a longer one ends it.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// How the failure is treated.
    pub fn class(&self) -> FailureClass {
        self.class
    }

    /// The status of the token endpoint's answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The RFC 6749 `error` code of the token endpoint's answer: at most 64 characters, visible ASCII.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The answer's `error_description`, with the client's own secret struck out. It is in no `Display`, `Debug` or
    /// log of this crate, since a server may put anything there: look before you print it.
    pub fn description(&self) -> Option<&str> {
        self.description.as_ref().map(|text| &*text.0)
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
            retry_after: None,
            retry_within_flight: true,
            without_life: false,
            source: None,
        }
    }

    /// The answer was not a token; `what` names the rule it broke and never quotes the answer.
    pub(crate) fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FailureClass::Unclear, FetchErrorKind::Malformed, what)
    }

    /// The answer holds a token and states that its life is over.
    pub(crate) fn without_life(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            without_life: true,
            ..Self::malformed(what)
        }
    }

    pub(crate) fn timed_out(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FailureClass::Transient, FetchErrorKind::TimedOut, what)
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Takes a code of which only what may be shown is left, cut to its longest allowed length.
    pub(crate) fn with_code(mut self, code: &str) -> Self {
        let shown: String = code.chars().take(LONGEST_CODE).collect();
        self.code = (!shown.is_empty()).then(|| shown.into());
        self
    }

    pub(crate) fn with_description(mut self, description: String) -> Self {
        self.description = Some(Description(description.into()));
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Ends the flight whatever the class: for a 429 that does not say how long to wait.
    pub(crate) fn not_within_flight(mut self) -> Self {
        self.retry_within_flight = false;
        self
    }

    pub(crate) fn kind(&self) -> FetchErrorKind {
        self.kind
    }

    /// Whether the answer was a token whose life is over: see [`without_life`](Self::without_life).
    pub(crate) fn is_without_life(&self) -> bool {
        self.without_life
    }

    pub(crate) fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    pub(crate) fn may_retry_within_flight(&self) -> bool {
        self.retry_within_flight && self.class == FailureClass::Transient
    }

    /// Reads what a fetcher returned: a `FetchError` as it is, tower's time-out as one, anything else as unclear.
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
        Self::new(class, FetchErrorKind::Other, "the fetcher failed").with_source(error)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (&self.code, self.status) {
            (Some(code), Some(status)) => write!(f, ": {code} (HTTP {})", status.as_u16()),
            (Some(code), None) => write!(f, ": {code}"),
            (None, Some(status)) => write!(f, " (HTTP {})", status.as_u16()),
            (None, None) => Ok(()),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A server's words, kept out of every `Debug`.
struct Description(Box<str>);

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[elided]")
    }
}
