//! A provider's token endpoint, as data.

mod assertion;
mod blocked;
mod credentials;
mod derived;
mod expiry;
mod failure;
mod file;
mod params;
mod policy;
mod proof;
mod rejection;
mod response;
mod scope;
mod token_url;
mod validate;

use std::{collections::BTreeMap, fmt, time::Duration};

#[cfg(feature = "jwt")]
pub(super) use self::assertion::with_id;
pub use self::{
    assertion::{Assertion, AssertionUse, Audience, ClaimValue},
    blocked::Blocked,
    credentials::{BodyEncoding, CredentialPlacement, Grant, SecretLength},
    expiry::ExpiryFormat,
    failure::FailureRow,
    params::ParamValue,
    rejection::RejectionStatuses,
    response::ResponseFields,
    scope::{ScopeFormat, ScopeRule},
};
pub(super) use self::{derived::Place, proof::Proof};
use crate::{ConfigError, Margin, Origin, TokenHeaders, text::url_without_secrets};

/// Describes a provider as data: its token request, its answer, and the headers that its API expects.
///
/// Take a provider's dialect ([`crate::provider`]), start from [`Dialect::new`] and set fields, or read one from a
/// configuration with serde. Only `name` and `token_url` are required. The defaults follow RFC 6749 §4.4: a form body
/// with `grant_type=client_credentials`, credentials as form-urlencoded Basic (§2.3.1), a bearer token.
///
/// In configuration, a duration is a text with units up to hours: `"90s"`, `"5m"`, `"1h 30m"`. A secret is always a
/// reference ([`SecretRef`](crate::SecretRef)). An unknown key is an error, and so is a list in place of a table.
///
/// # In a configuration of your own
///
/// Give the dialect a table of its own, or put `#[serde(flatten)]` on it: a misspelt key is an error there too. The
/// struct can have further fields, but no second flattened one: the dialect does not know its keys.
///
/// An error of the `toml` crate shows the faulty line of the file, and its `Debug` shows the whole file. If the file
/// may hold a secret, print the error's `message()` and the line number of its `span()` instead
/// ([how](crate::guide::add_a_bank#5-use-it)).
///
/// # Examples
///
/// ```
/// use tower_oauth::client_credentials::Dialect;
///
/// let dialect: Dialect = toml::from_str(r#"
///     name = "fifth-bank"
///     token_url = "https://login.fifth.example/oauth/token?channel=api"
///     origins = ["https://api.fifth.example"]
///     credentials = { body = { id = "clientId", secret = "clientSecret" } }
///     body = "json"
///     grant = { field = { name = "grantType", value = "client_credentials" } }
///     default_lifetime = "30m"
///     max_lifetime = "12h"
///     refresh_margin = { fraction = 0.1 }
///     wait_after_429 = "1m"
///     secret_length = { min = 16, max = 64 }
///
///     [scope]
///     field = "scopes"
///     format = "json_array"
///     required = true
///     most = 5
///
///     [token_params]
///     audience = "payments"
///
///     [token_headers]
///     x-api-key = { env = "FIFTH_BANK_API_KEY" }
///
///     [headers]
///     Authorization = "Bearer {token}"
///     jwt_token = "{jwt_token}"
///
///     [response]
///     token = "accessToken"
///     expiry = "expiraEm"
///     expiry_format = { local_time = { utc_offset_minutes = -180 } }
///     extras = ["jwt_token"]
///
///     [rejection]
///     definite = [401]
///     ambiguous = [403]
///
///     [[failures]]
///     status = 400
///     error = "LIMIT_EXCEEDED"
///     class = "transient"
/// "#)?;
/// dialect.check()?;
///
/// let typo = r#"
///     name = "bank"
///     token_url = "https://login.example/token"
///     grantt = "absent"
/// "#;
/// assert!(toml::from_str::<Dialect>(typo).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Dialect {
    /// The name of the source in errors, logs and metrics, such as `anbima`.
    pub name: String,
    /// The token endpoint: `https`, or loopback. A query in it is sent unchanged. No `Debug` and no error shows it,
    /// since some banks require a key there.
    pub token_url: String,
    /// Where the token may be sent. Default: none, which allows any `https` or loopback origin. Set it, unless you
    /// trust the origin of every request.
    pub origins: Vec<Origin>,
    /// Origins of the token endpoint or of the API that may use plain `http`. Default: none. Use it only where
    /// something else protects the connection, such as a service mesh that adds TLS: anyone on the network path can
    /// otherwise read the secret and the token.
    pub danger_allow_http: Vec<Origin>,
    /// Where the client's id and secret go. Default: [`CredentialPlacement::BasicEncoded`].
    pub credentials: CredentialPlacement,
    /// How the body is written. Default: [`BodyEncoding::Form`].
    pub body: BodyEncoding,
    /// The field that names the grant. Default: `grant_type=client_credentials`.
    pub grant: Grant,
    /// How the request names scopes. Default: a field `scope`, joined by spaces, not required.
    pub scope: ScopeRule,
    /// Further fields of the body. Default: none.
    pub token_params: BTreeMap<String, ParamValue>,
    /// Further headers of the token request. Default: none. `Accept`, `Content-Type` and the like are set already.
    pub token_headers: BTreeMap<String, ParamValue>,
    /// The headers that the API expects. Default: `Authorization: Bearer {token}`.
    pub headers: TokenHeaders,
    /// The names of the answer's members, and the format of the expiry. Default: `access_token`, `expires_in`.
    pub response: ResponseFields,
    /// The lifetime of a token whose answer states none, or one that cannot be read. Default: that of the source's
    /// policy (5 minutes).
    pub default_lifetime: Option<Duration>,
    /// The longest lifetime of a token: a longer one is cut to it. Default: that of the source's policy (24 hours).
    pub max_lifetime: Option<Duration>,
    /// How long before its expiry a token is refreshed. Default: that of the source's policy (20 %, at most 1 h).
    pub refresh_margin: Option<Margin>,
    /// Whether a new token revokes the client's older one. The source then does not refresh ahead, so requests wait for
    /// each new token, and two processes must share one source. Default: `false`.
    pub single_active: bool,
    /// Which answers of the API reject the token. Default: 401. Do not add a 403 that is about scopes only: a new token
    /// has the same scopes.
    pub rejection: RejectionStatuses,
    /// How long the source waits after a 429 without `Retry-After`. At most a day. Default: as after any transient
    /// failure. A value above 5 minutes also raises `max_retry_after` in [`Policy::retry`](crate::Policy::retry),
    /// unless you set that number yourself.
    pub wait_after_429: Option<Duration>,
    /// How failures of the token endpoint are treated where the provider differs from RFC 6749. The first row that fits
    /// counts. Default: none.
    pub failures: Vec<FailureRow>,
    /// The length of a client secret, in characters. Default: not checked.
    pub secret_length: Option<SecretLength>,
    /// Values that [`headers`](Self::headers) use by their names, beside those of a token: an API key that goes with
    /// every call of the API. A secret is a reference, read when the source is built and again before each fetch: a new
    /// value is sent with the next token. Default: none.
    pub header_values: BTreeMap<String, ParamValue>,
    /// The shortest time from one token request to the next. At most an hour. A fetch then makes one attempt, and every
    /// back-off is at least this long. Default: that of the source's policy (1 s between fetches). Use it where the
    /// bank limits its token endpoint (Inter: 5 a minute). Requests wait for a token up to this time longer.
    pub min_fetch_interval: Option<Duration>,
    /// The `Accept` header of the token request. Default: `application/json`.
    pub accept: Option<String>,
    /// The `Content-Type` header of the token request. Default: that of the body's encoding. It changes the header
    /// only.
    pub content_type: Option<String>,
    /// Statuses by which the token endpoint says that it blocks this client. Default: none.
    pub blocked: Option<Blocked>,
    /// Whether the token endpoint wants a client certificate (mTLS). It changes no request: the certificate belongs to
    /// the transport. Errors that a missing or wrong certificate may cause then say so. Default: `false`.
    pub client_certificate: bool,
    /// A JWT that the client signs to prove who it is, in place of a secret. Default: none. It needs the cargo feature
    /// `jwt`.
    pub assertion: Option<Assertion>,
    pub(super) derived: derived::Memo,
}

impl Dialect {
    /// Creates a dialect that follows RFC 6749. Set fields to change it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::client_credentials::{BodyEncoding, Dialect};
    ///
    /// let mut dialect = Dialect::new("bank", "https://login.example/token");
    /// dialect.body = BodyEncoding::Json;
    /// dialect.origins = vec!["https://api.bank.example".parse()?];
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn new(name: impl Into<String>, token_url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            token_url: token_url.into(),
            origins: Vec::new(),
            danger_allow_http: Vec::new(),
            credentials: CredentialPlacement::default(),
            body: BodyEncoding::default(),
            grant: Grant::default(),
            scope: ScopeRule::default(),
            token_params: BTreeMap::new(),
            token_headers: BTreeMap::new(),
            headers: TokenHeaders::default(),
            response: ResponseFields::default(),
            default_lifetime: None,
            max_lifetime: None,
            refresh_margin: None,
            single_active: false,
            rejection: RejectionStatuses::default(),
            wait_after_429: None,
            failures: Vec::new(),
            secret_length: None,
            header_values: BTreeMap::new(),
            min_fetch_interval: None,
            accept: None,
            content_type: None,
            blocked: None,
            client_certificate: false,
            assertion: None,
            derived: derived::Memo::default(),
        }
    }

    /// Checks everything that does not depend on a client's id and secret.
    ///
    /// # Errors
    ///
    /// Names the first invalid field, and the rule that it breaks.
    pub fn check(&self) -> Result<(), ConfigError> {
        validate::dialect(self).map_err(|error| error.of(&self.name))
    }
}

/// Without the token URL's query.
impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By name, so that no field is forgotten.
        let Self {
            name,
            token_url,
            origins,
            danger_allow_http,
            credentials,
            body,
            grant,
            scope,
            token_params,
            token_headers,
            headers,
            response,
            default_lifetime,
            max_lifetime,
            refresh_margin,
            single_active,
            rejection,
            wait_after_429,
            failures,
            secret_length,
            header_values,
            min_fetch_interval,
            accept,
            content_type,
            blocked,
            client_certificate,
            assertion,
            derived: _,
        } = self;
        f.debug_struct("Dialect")
            .field("name", name)
            .field("token_url", &url_without_secrets(token_url))
            .field("origins", origins)
            .field("danger_allow_http", danger_allow_http)
            .field("credentials", credentials)
            .field("body", body)
            .field("grant", grant)
            .field("scope", scope)
            .field("token_params", token_params)
            .field("token_headers", token_headers)
            .field("headers", headers)
            .field("response", response)
            .field("default_lifetime", default_lifetime)
            .field("max_lifetime", max_lifetime)
            .field("refresh_margin", refresh_margin)
            .field("single_active", single_active)
            .field("rejection", rejection)
            .field("wait_after_429", wait_after_429)
            .field("failures", failures)
            .field("secret_length", secret_length)
            .field("header_values", header_values)
            .field("min_fetch_interval", min_fetch_interval)
            .field("accept", accept)
            .field("content_type", content_type)
            .field("blocked", blocked)
            .field("client_certificate", client_certificate)
            .field("assertion", assertion)
            .finish()
    }
}
