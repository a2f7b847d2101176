//! What went wrong, as words for metrics.

use std::fmt;

use serde::Serialize;

/// What is wrong with a setting: see [`ConfigError::kind`](crate::ConfigError::kind).
///
/// # Examples
///
/// ```
/// use tower_oauth::{ConfigErrorKind, SecretRef};
///
/// let error = SecretRef::File("/no/such/file".into()).resolve().unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Unreadable);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// It must be given, and it is not, or it is empty.
    Missing,
    /// A file, a variable, a key or a certificate cannot be read or parsed.
    Unreadable,
    /// It would send a secret or a token over plain `http`.
    Insecure,
    /// It breaks another rule, or contradicts another setting.
    Invalid,
}

/// Why a fetch failed: see [`FetchError::kind`](crate::FetchError::kind).
///
/// # Examples
///
/// ```
/// use tower_oauth::{FetchError, FetchErrorKind};
///
/// let sealed = FetchError::transient("the vault is sealed");
/// assert_eq!(sealed.kind(), FetchErrorKind::Fetcher);
/// assert_eq!(sealed.kind().as_str(), "fetcher");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// `denied`: the token endpoint denied the request: the credentials, the scopes, the rate or the URL.
    Denied,
    /// `malformed`: the token endpoint's answer is not a usable token.
    Malformed,
    /// `timeout`: there was no answer in time.
    #[serde(rename = "timeout")]
    TimedOut,
    /// `unavailable`: the token endpoint could not be reached, rejected or closed the connection, or answered that it
    /// is unavailable (5xx).
    Unavailable,
    /// `signer`: the client's assertion could not be signed, so nothing was sent.
    Signer,
    /// `fetcher`: a custom fetcher returned an error that is no [`FetchError`](crate::FetchError).
    Fetcher,
}

impl FetchErrorKind {
    /// Returns the word for logs, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        OAuthErrorKind::from(self).as_str()
    }
}

impl fmt::Display for FetchErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request got no token: see [`OAuthError::kind`](crate::OAuthError::kind).
///
/// # Examples
///
/// ```
/// # use tower::service_fn;
/// # use tower_oauth::{BoxError, OAuthErrorKind, Token, TokenRequest, TokenSource};
/// # let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
/// let source = TokenSource::builder(fetcher).origin("https://api.example").build()?;
/// let error = source.permits(&"https://elsewhere.example/".parse()?).unwrap_err();
/// assert_eq!(error.kind(), OAuthErrorKind::ForeignOrigin);
/// assert_eq!(error.kind().as_str(), "foreign_origin");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OAuthErrorKind {
    /// `denied`: see [`FetchErrorKind::Denied`].
    Denied,
    /// `malformed`: see [`FetchErrorKind::Malformed`].
    Malformed,
    /// `timeout`: the fetch took too long, or the request waited longer than `timeouts.acquire`.
    #[serde(rename = "timeout")]
    TimedOut,
    /// `unavailable`: see [`FetchErrorKind::Unavailable`].
    Unavailable,
    /// `signer`: see [`FetchErrorKind::Signer`].
    Signer,
    /// `fetcher`: see [`FetchErrorKind::Fetcher`]; or the fetcher panicked.
    Fetcher,
    /// `foreign_origin`: the request is for an origin that the token may not be sent to.
    ForeignOrigin,
    /// `closed`: the source was shut down, or its fetcher's `poll_ready` failed.
    Closed,
    /// `source_not_made`: the function that makes a pool's sources failed.
    SourceNotMade,
    /// `no_source`: the layer takes the source from the request, whose extensions hold none.
    NoSource,
    /// `no_runtime`: called outside a Tokio runtime when a token had to be fetched.
    NoRuntime,
}

impl OAuthErrorKind {
    /// Returns the word for logs, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Malformed => "malformed",
            Self::TimedOut => "timeout",
            Self::Unavailable => "unavailable",
            Self::Signer => "signer",
            Self::Fetcher => "fetcher",
            Self::ForeignOrigin => "foreign_origin",
            Self::Closed => "closed",
            Self::SourceNotMade => "source_not_made",
            Self::NoSource => "no_source",
            Self::NoRuntime => "no_runtime",
        }
    }
}

impl fmt::Display for OAuthErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<FetchErrorKind> for OAuthErrorKind {
    fn from(kind: FetchErrorKind) -> Self {
        match kind {
            FetchErrorKind::Denied => Self::Denied,
            FetchErrorKind::Malformed => Self::Malformed,
            FetchErrorKind::TimedOut => Self::TimedOut,
            FetchErrorKind::Unavailable => Self::Unavailable,
            FetchErrorKind::Signer => Self::Signer,
            FetchErrorKind::Fetcher => Self::Fetcher,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_words_of_as_str() {
        use FetchErrorKind::*;
        for kind in [Denied, Malformed, TimedOut, Unavailable, Signer, Fetcher] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            let same = OAuthErrorKind::from(kind);
            assert_eq!(serde_json::to_value(same).unwrap(), kind.as_str());
            assert_eq!(same.to_string(), kind.to_string());
        }
        for kind in [
            OAuthErrorKind::ForeignOrigin,
            OAuthErrorKind::Closed,
            OAuthErrorKind::SourceNotMade,
            OAuthErrorKind::NoSource,
            OAuthErrorKind::NoRuntime,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
