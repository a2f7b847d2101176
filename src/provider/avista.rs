//! Avista, a Pix provider with the central bank's Pix API.
//!
//! Documentation: <https://docs.avista.global/en/pix-bacen/authentication>
//!
//! - `POST https://api.avista.global/oauth/token`, a JSON body of `clientId` and `clientSecret`, and no `grant_type`
//!   (doc). The documentation of its standard API has another path, `/api/auth/token`, and requires a header
//!   `X-SSL-Client-Cert` (docs) (?): see the example at [`production`].
//! - The secret has 8 to 64 characters (doc).
//! - A token lives 3600 s unless the answer says otherwise, and is refreshed 5 minutes before it ends (doc).
//! - A 401 means that the token is missing, invalid or expired. A 403 is about scopes (doc), and no new token helps.

use crate::{
    ClientId, Secret,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

/// Avista's production as data.
///
/// # Examples
///
/// ```
/// let dialect = tower_oauth::provider::avista::dialect();
/// assert_eq!(dialect.secret_length.unwrap().min, 8);
/// ```
pub fn dialect() -> Dialect {
    super::preset("avista", "production")
}

/// Production: `https://api.avista.global`.
///
/// # Examples
///
/// The endpoint of the standard API, with the client's certificate, URL-encoded, read from a file:
///
/// ```
/// use tower_oauth::{ClientId, ClientSecret, SecretRef, provider::avista};
///
/// # let secret = ClientSecret::new("8 to 64 characters");
/// let builder = avista::production(ClientId::new("me")?, secret)
///     .token_url("https://api.avista.global/api/auth/token")
///     .token_header("X-SSL-Client-Cert", SecretRef::File("/run/secrets/certificate".into()));
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
pub fn production(id: ClientId, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
    ClientCredentialsBuilder::new(dialect(), id).secret(secret)
}
