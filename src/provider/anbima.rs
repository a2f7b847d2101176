//! ANBIMA, the association of Brazil's capital-market entities: `ANBIMA Feed` and its sister APIs.
//!
//! Documentation: <https://developers.anbima.com.br/en/autenticacao/>
//!
//! - `POST https://api.anbima.com.br/oauth/access-token` (docs), Basic over `client_id:client_secret`, a JSON body
//!   with `grant_type` (doc). The answer's status is 200 or 201 (client).
//! - The API requires two headers, `client_id` and `access_token`, and no `Authorization` (doc). The answer's
//!   `token_type` is `access_token` (doc): no header is made of it. HTTP clients do not remove these headers on a
//!   redirect to another host, so put the layer inside the layer that follows redirects.
//! - The sandbox API accepts tokens of the production token endpoint (client).
//! - A 401 means that the token is missing, unknown or altered. A 403 means that the token was revoked, **or** that the
//!   resource is outside the contracted plan (doc): it is an ambiguous rejection.

use crate::{
    ClientId, Secret,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

/// ANBIMA's production as data.
///
/// # Examples
///
/// ```
/// let dialect = tower_oauth::provider::anbima::dialect();
/// assert_eq!(dialect.rejection.ambiguous, [403]);
/// ```
pub fn dialect() -> Dialect {
    super::preset("anbima", "production")
}

/// Production: `https://api.anbima.com.br`.
///
/// # Examples
///
/// ```
/// use tower_oauth::{ClientId, ClientSecret, provider::anbima};
///
/// # let secret = ClientSecret::new("shh");
/// let builder = anbima::production(ClientId::new("aC2yaac23")?, secret);
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
pub fn production(id: ClientId, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
    ClientCredentialsBuilder::new(dialect(), id).secret(secret)
}

/// The sandbox, `https://api-sandbox.anbima.com.br`, whose tokens come from the production token endpoint (client).
pub fn sandbox(id: ClientId, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
    let sandbox = super::preset("anbima", "sandbox");
    ClientCredentialsBuilder::new(sandbox, id).secret(secret)
}
