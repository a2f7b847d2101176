//! What an answer's fields are called.

use super::expiry::ExpiryFormat;

/// What an answer's fields are called, and how it says when the token ends. By default as RFC 6749 §5.1 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseFields {
    /// The token's field. Default: `access_token`.
    pub token: String,
    /// The expiry's field. Default: `expires_in`. A token whose answer lacks it lives for
    /// [`Dialect::default_lifetime`](super::Dialect::default_lifetime).
    pub expiry: String,
    /// How the expiry is written. Default: [`ExpiryFormat::Auto`].
    pub expiry_format: ExpiryFormat,
    /// Further values that come with the token and that [`Dialect::headers`](super::Dialect::headers) use by their
    /// names, such as Serpro's `jwt_token`. An answer without one of them is no token. Default: none.
    pub secondaries: Vec<String>,
}

impl Default for ResponseFields {
    fn default() -> Self {
        Self {
            token: "access_token".into(),
            expiry: "expires_in".into(),
            expiry_format: ExpiryFormat::default(),
            secondaries: Vec::new(),
        }
    }
}
