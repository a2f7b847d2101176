//! Bankly, banking as a service.
//!
//! Documentation: <https://docs.bankly.com.br/docs/fluxos-autorizacao> and, for mTLS,
//! <https://docs.bankly.com.br/docs/geracao-token-autenticacao-com-mtls>
//!
//! - `POST https://login.sandbox.bankly.com.br/connect/token` (doc) (production: `login.bankly.com.br` (client)), a
//!   form body of `grant_type`, `client_id`, `client_secret` and `scope` (doc).
//! - A request must ask for one to ten scopes (doc).
//! - The answer's `expires_in` is a time stamp in the table of fields, and a number of seconds in the example (doc).
//!   Both are read.
//! - Over mTLS there is another token endpoint, and no secret is sent (docs). A client obtains its certificate with a
//!   token of the scope `certificate.create` from the first endpoint (doc).
//! - 180 requests per 10 s are allowed per IP address; after a 429, five minutes must pass (docs).
//! - A 403 is about scopes, and no new token helps. API requests need `api-version` and a new `x-correlation-id`
//!   (client). Your code sets them.

use crate::{
    ClientId, Secret,
    client_credentials::{ClientCredentialsBuilder, CredentialPlacement, Dialect},
};

/// Bankly's production as data.
///
/// # Examples
///
/// ```
/// let dialect = tower_oauth::provider::bankly::dialect();
/// assert_eq!(dialect.scope.most, Some(10));
/// ```
pub fn dialect() -> Dialect {
    super::preset("bankly", "production")
}

/// Production: `https://api.bankly.com.br`.
pub fn production(id: ClientId, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
    ClientCredentialsBuilder::new(dialect(), id).secret(secret)
}

/// The sandbox: `https://api.sandbox.bankly.com.br`.
///
/// # Examples
///
/// ```
/// use tower_oauth::{ClientId, ClientSecret, provider::bankly};
///
/// # let secret = ClientSecret::new("shh");
/// let builder = bankly::sandbox(ClientId::new("0b1d…")?, secret)
///     .scopes(["boleto.read", "pix.cob.read"]);
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
pub fn sandbox(id: ClientId, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
    let sandbox = super::preset("bankly", "sandbox");
    ClientCredentialsBuilder::new(sandbox, id).secret(secret)
}

/// The sandbox by mTLS: the client authenticates with its certificate, and there is no secret. The transport must use
/// that certificate, for the API too. The example `bankly_mtls` shows how to obtain it.
///
/// # Examples
///
/// ```
/// use tower_oauth::{ClientId, provider::bankly};
///
/// # fn open(identity: reqwest::Identity) -> Result<(), tower_oauth::ConfigError> {
/// let client = reqwest::Client::builder().identity(identity);
/// let source = bankly::mtls_sandbox(ClientId::new("0b1d…")?).scopes(["boleto.read"]).build_reqwest(client)?;
/// # Ok(())
/// # }
/// ```
pub fn mtls_sandbox(id: ClientId) -> ClientCredentialsBuilder {
    ClientCredentialsBuilder::new(super::preset("bankly", "sandbox-mtls"), id)
}

/// By mTLS at a token endpoint that you name, because sources disagree about the production host (?). The token goes to
/// `https://api.bankly.com.br` unless [`origin`](ClientCredentialsBuilder::origin) says otherwise.
pub fn mtls(id: ClientId, token_url: impl Into<String>) -> ClientCredentialsBuilder {
    ClientCredentialsBuilder::new(mtls_dialect(), id).token_url(token_url)
}

fn mtls_dialect() -> Dialect {
    let mut mtls = dialect();
    mtls.credentials = CredentialPlacement::IdOnly {
        id: "client_id".into(),
    };
    mtls.client_certificate = true;
    mtls
}
