//! Conta Simples, corporate accounts and cards.
//!
//! Documentation: <https://developers.contasimples.com/en/comece-aqui/autenticacao>
//!
//! - `POST https://api.contasimples.com/oauth/v1/access-token` (docs) (sandbox: `api-sandbox.contasimples.com` (doc)),
//!   Basic over `api_key:api_secret`, a form body with only `grant_type` (doc).
//! - The documentation's examples send `User-Agent: app/version` (docs): name yours with
//!   [`ClientCredentialsBuilder::user_agent`].
//! - A token lives 1800 s unless the answer says otherwise (doc), and is refreshed when a tenth of that is left (docs).
//! - A 401 means an expired token (docs), a 403 a missing permission, which no new token brings. 100 calls a minute
//!   are allowed per IP address (docs).

use crate::{
    ClientId, Secret,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

/// Conta Simples' production as data.
///
/// # Examples
///
/// ```
/// let dialect = tower_oauth::provider::conta_simples::dialect();
/// assert_eq!(dialect.token_url, "https://api.contasimples.com/oauth/v1/access-token");
/// ```
pub fn dialect() -> Dialect {
    super::preset("conta-simples", "production")
}

/// Production: `https://api.contasimples.com`. The id is the API key, the secret the API secret.
pub fn production(id: ClientId, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
    ClientCredentialsBuilder::new(dialect(), id).secret(secret)
}

/// The sandbox: `https://api-sandbox.contasimples.com`.
///
/// # Examples
///
/// ```
/// use tower_oauth::{ClientId, ClientSecret, provider::conta_simples};
///
/// # let api_secret = ClientSecret::new("shh");
/// let builder = conta_simples::sandbox(ClientId::new("api-key")?, api_secret)
///     .user_agent("my-app/1.0");
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
pub fn sandbox(id: ClientId, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
    let sandbox = super::preset("conta-simples", "sandbox");
    ClientCredentialsBuilder::new(sandbox, id).secret(secret)
}
