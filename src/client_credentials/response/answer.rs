//! An answer of the token endpoint, before it is read.

use http::{HeaderMap, StatusCode};
use zeroize::Zeroizing;

use crate::FetchError;

/// An answer, read as far as it came.
pub(in crate::client_credentials) struct Answer {
    pub(in crate::client_credentials) status: StatusCode,
    pub(in crate::client_credentials) headers: HeaderMap,
    pub(in crate::client_credentials) body: Body,
    /// The assertion that was sent, which the answer may repeat.
    pub(in crate::client_credentials) assertion: Option<Zeroizing<String>>,
}

/// An answer's body as far as it came: nothing of one that is too long.
#[derive(Default)]
pub(in crate::client_credentials) struct Body {
    pub(in crate::client_credentials) bytes: Zeroizing<Vec<u8>>,
    pub(in crate::client_credentials) end: End,
}

/// How a body ended. A body that broke off may still hold a complete JSON object: some servers mark the end of the body
/// by closing the connection.
#[derive(Default)]
pub(in crate::client_credentials) enum End {
    #[default]
    Whole,
    Broken(FetchError),
    TooLong,
}
