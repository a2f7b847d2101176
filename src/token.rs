//! A fetcher's answer, a token, and its request.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::secret::seal;

/// The number of a source's token: 1 for the first, and one more for each token that differs from the one before.
///
/// A rejected response carries the generation of the request's token in its extensions. A late rejection of an old
/// token therefore does not affect a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u64);

impl Generation {
    /// The generation of a request that has no token yet.
    pub(crate) const NONE: Self = Self(0);

    /// Returns the number, for logs.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The answer of a fetcher: the token's text, and its lifetime if known.
///
/// Its lifetime begins when the attempt starts, unless [`with_issued_at`](Self::with_issued_at) says otherwise. Without
/// [`with_lifetime`](Self::with_lifetime) or [`with_expiry`](Self::with_expiry), the policy's default lifetime counts
/// (5 minutes).
///
/// White space around the text is not removed. The text of a file or of a command often ends with a line break: remove
/// it first.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::Token;
///
/// let token = Token::new("eyJhbGciOi…").with_lifetime(Duration::from_secs(300));
/// assert!(!format!("{token:?}").contains("eyJ"));
/// ```
///
/// A test of a fetcher of your own calls it and reads the token:
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use tower::{Service, ServiceExt, service_fn};
/// use tower_oauth::{BoxError, Token, TokenRequest};
///
/// fn vault() -> impl Service<TokenRequest, Response = Token, Error = BoxError> {
///     service_fn(|_: TokenRequest| async {
///         let token = Token::new("abc").with_lifetime(Duration::from_secs(300));
///         Ok(token.with_extra("jwt_token", "xyz"))
///     })
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let token = vault().oneshot(TokenRequest::first(UNIX_EPOCH)).await?;
/// assert_eq!(token.expose(), "abc");
/// assert_eq!(token.lifetime(), Some(Duration::from_secs(300)));
/// assert_eq!((token.expiry(), token.issued_at()), (None, None));
/// assert_eq!(token.extra("jwt_token"), Some("xyz"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Token {
    value: SecretString,
    life: Life,
    issued_at: Option<SystemTime>,
    extras: Vec<(Box<str>, SecretString)>,
    obtained_from: ObtainedFrom,
}

/// Where a fetcher got a token from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ObtainedFrom {
    /// `endpoint`: the token endpoint, or whatever issues the token. The default.
    #[default]
    Endpoint,
    /// `store`: a store that several processes share, in which another attempt has put it.
    Store,
}

impl ObtainedFrom {
    /// Returns the word for logs, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Store => "store",
        }
    }
}

/// How the fetcher stated the token's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Unstated,
    For(Duration),
    Until(SystemTime),
}

impl Token {
    /// Creates a token without a stated lifetime.
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: seal(value.into()),
            life: Life::Unstated,
            issued_at: None,
            extras: Vec::new(),
            obtained_from: ObtainedFrom::Endpoint,
        }
    }

    /// Sets the whole lifetime, counted from the time of issue. Zero is an error of the fetch.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.life = Life::For(lifetime);
        self
    }

    /// Sets the moment of expiry, by the wall clock. Prefer [`with_lifetime`](Self::with_lifetime) if the answer has
    /// both: it does not depend on the clocks of two machines.
    #[must_use]
    pub fn with_expiry(mut self, at: SystemTime) -> Self {
        self.life = Life::Until(at);
        self
    }

    /// Sets when the token was issued. Use it in a fetcher that caches tokens. A moment in the future counts as now.
    #[must_use]
    pub fn with_issued_at(mut self, at: SystemTime) -> Self {
        self.issued_at = Some(at);
        self
    }

    /// Adds a second value that came with the token, such as Serpro's `jwt_token`. Header templates use it by its name.
    #[must_use]
    pub fn with_extra(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = seal(value.into());
        self.extras.push((name.into().into(), value));
        self
    }

    /// Says where the token comes from, for logs and status. Default: [`ObtainedFrom::Endpoint`].
    #[must_use]
    pub fn with_obtained_from(mut self, from: ObtainedFrom) -> Self {
        self.obtained_from = from;
        self
    }

    /// Returns where the token comes from.
    pub fn obtained_from(&self) -> ObtainedFrom {
        self.obtained_from
    }

    /// Returns the token's text, a secret. Do not log it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// Returns the lifetime given with [`with_lifetime`](Self::with_lifetime).
    pub fn lifetime(&self) -> Option<Duration> {
        match self.life {
            Life::For(lifetime) => Some(lifetime),
            Life::Until(_) | Life::Unstated => None,
        }
    }

    /// Returns the moment given with [`with_expiry`](Self::with_expiry).
    pub fn expiry(&self) -> Option<SystemTime> {
        match self.life {
            Life::Until(end) => Some(end),
            Life::For(_) | Life::Unstated => None,
        }
    }

    /// Returns the moment given with [`with_issued_at`](Self::with_issued_at).
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// Returns the extra of this name, a secret. Do not log it.
    pub fn extra(&self, name: &str) -> Option<&str> {
        let (_, value) = self.extras().find(|(known, _)| *known == name)?;
        Some(value)
    }

    /// Returns all extras, name and value, in the order in which they were added. The values are secrets.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &str)> {
        let extras = self.extras.iter();
        extras.map(|(name, value)| (&**name, value.expose_secret()))
    }

    pub(crate) fn life(&self) -> Life {
        self.life
    }

    /// Whether two answers hold the same token.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.expose() == other.expose()
            && self.extras.len() == other.extras.len()
            && self
                .extras()
                .all(|(name, value)| other.extra(name) == Some(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extras: Vec<_> = self.extras.iter().map(|(name, _)| name).collect();
        f.debug_struct("Token")
            .field("value", &"[secret elided]")
            .field("life", &self.life)
            .field("issued_at", &self.issued_at)
            .field("extras", &extras)
            .field("obtained_from", &self.obtained_from)
            .finish()
    }
}

/// Why a token is being fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchCause {
    /// There is no token yet.
    Missing,
    /// The current token has expired.
    Expired,
    /// The token is refreshed before its expiry, behind the requests.
    Ahead,
    /// The API rejected the token, definitely (a 401).
    Rejected,
    /// The API may have rejected the token (ANBIMA's 403).
    MaybeRejected,
}

impl FetchCause {
    /// Returns its name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::Ahead => "ahead",
            Self::Rejected => "rejected",
            Self::MaybeRejected => "maybe_rejected",
        }
    }
}

/// The request to a fetcher: make one attempt to get a token.
///
/// Most fetchers ignore it. The source creates it. In tests of a fetcher, use [`TokenRequest::first`].
///
/// # Examples
///
/// ```
/// use tower_oauth::{FetchCause, TokenRequest};
///
/// let request = TokenRequest::first(std::time::UNIX_EPOCH);
/// assert_eq!((request.attempt(), request.cause()), (1, FetchCause::Missing));
/// ```
#[derive(Clone, Debug)]
pub struct TokenRequest {
    attempt: u32,
    cause: FetchCause,
    started_at: SystemTime,
    previous: Option<Token>,
    retry_now: bool,
}

impl TokenRequest {
    /// Creates the first attempt of a fetch that starts because there is no token. It starts at the given moment.
    pub fn first(started_at: SystemTime) -> Self {
        Self::new(1, FetchCause::Missing, started_at)
    }

    pub(crate) fn new(attempt: u32, cause: FetchCause, started_at: SystemTime) -> Self {
        Self {
            attempt,
            cause,
            started_at,
            previous: None,
            retry_now: false,
        }
    }

    /// Sets the token that the source used last.
    #[must_use]
    pub fn with_previous(mut self, token: Token) -> Self {
        self.previous = Some(token);
        self
    }

    /// Says that [`TokenSource::retry_now`](crate::TokenSource::retry_now) was called since the last attempt.
    #[must_use]
    pub fn with_retry_now(mut self) -> Self {
        self.retry_now = true;
        self
    }

    /// Returns the token that the source used last, if there was one. If the [cause](Self::cause) is
    /// [`FetchCause::Rejected`], it is the rejected one. A fetcher that keeps tokens must not return it again.
    pub fn previous(&self) -> Option<&Token> {
        self.previous.as_ref()
    }

    /// Returns whether [`TokenSource::retry_now`](crate::TokenSource::retry_now) was called since the last attempt. A
    /// fetcher that keeps failures forgets them.
    pub fn is_retry_now(&self) -> bool {
        self.retry_now
    }

    /// Returns the number of the attempt in its fetch, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns why the fetch was started.
    pub fn cause(&self) -> FetchCause {
        self.cause
    }

    /// Returns the wall clock's time just before the attempt. Use it to turn a time stamp in an answer into a lifetime.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }
}
