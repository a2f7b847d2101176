//! Recorded exchanges: what a document shows of a token request and its answers, as text.

mod read;
mod server;
#[cfg(feature = "jwt")]
mod signed;

pub use server::RecordedBank;

use http::{HeaderMap, StatusCode};

/// An exchange with a provider's token endpoint, written from its documents. The guide "Add a bank" describes the text.
///
/// # Examples
///
/// ```
/// use tower_oauth::testing::Exchange;
///
/// let exchange = Exchange::from_text("\
/// provider: partner
/// environment: production
/// client_id: me
/// client_secret: shh
///
/// > POST /token
/// > accept: application/json
/// > authorization: Basic bWU6c2ho
/// > content-type: application/x-www-form-urlencoded
/// >
/// > grant_type=client_credentials
///
/// < 200
/// <
/// < {\"access_token\":\"abc\",\"expires_in\":300}
///
/// = lifetime 300
/// = authorization: Bearer abc
///
/// < 401
/// <
/// < {\"error\":\"invalid_client\"}
///
/// = permanent
/// ")?;
/// assert_eq!(exchange.setting("client_id"), Some("me"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct Exchange {
    pub(super) settings: Vec<(String, String)>,
    pub(super) request: RecordedRequest,
    pub(super) answers: Vec<RecordedAnswer>,
}

#[derive(Clone, Debug)]
pub(super) struct RecordedRequest {
    /// With its query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// An answer of the token endpoint, and what it must mean.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
    /// What it must mean, line by line.
    pub meaning: Vec<String>,
}

impl Exchange {
    /// Reads the text of an exchange.
    ///
    /// # Errors
    ///
    /// Names the line that cannot be read.
    pub fn from_text(text: &str) -> Result<Self, String> {
        read::exchange(text)
    }

    /// Returns a setting of the first lines, such as `client_id`.
    pub fn setting<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.settings(name).next()
    }

    /// Returns each setting of that name.
    pub fn settings<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.settings.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Returns the answers, the good one first.
    pub fn answers(&self) -> &[RecordedAnswer] {
        &self.answers
    }
}
