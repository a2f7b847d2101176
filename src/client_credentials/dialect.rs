//! How one provider wants to be asked for a token, as data.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    credentials::{BodyEncoding, CredentialPlacement, Grant, SecretLength},
    failure::FailureRow,
    params::ParamValue,
    rejection::RejectionStatuses,
    response::ResponseFields,
    scope::ScopeRule,
    validate,
};
use crate::{ConfigError, Margin, Origin, TokenHeaders, text::url_without_secrets};

/// How one provider wants to be asked for a token, how it answers, and how its API wants to see the token.
///
/// It is plain data: take a provider's ([`crate::provider`]), start from [`Dialect::new`] and set fields, or read it
/// from a configuration with serde. Only `name` and `token_url` must be there; what is left out is as RFC 6749 §4.4
/// has it: a form body with `grant_type=client_credentials`, credentials as form-urlencoded Basic (§2.3.1), a bearer
/// token.
///
/// Durations are words with units, up to hours: `"90s"`, `"5m"`, `"1h 30m"`. A secret is only ever a reference
/// ([`SecretRef`](crate::SecretRef)). An unknown key is rejected, and so is a list where a table belongs.
///
/// # In a configuration of your own
///
/// Give the dialect a table of its own, or put `#[serde(flatten)]` on it: a misspelt key is rejected there too. The struct
/// may have further fields beside it, but not a second flattened one, whose keys the dialect would not know.
///
/// An error of the `toml` crate shows the line of the file that it is about, and its `Debug` the whole file. If the file
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
    /// What errors, logs and metrics call the source, such as `anbima`.
    pub name: String,
    /// The token endpoint: `https`, or loopback. A fixed query is sent as it stands, and printed by no `Debug` and no
    /// error, since some banks want a key there.
    pub token_url: String,
    /// Where the token may be sent. Default: none, which allows any `https` or loopback origin. Name them, unless all
    /// requests come from a place you trust wholly.
    pub origins: Vec<Origin>,
    /// Origins, of the token endpoint or of the API, whose plain `http` is safe for reasons that cannot be seen from
    /// here, such as a mesh that adds TLS. Default: none. Not for anything that leaves the machine in the clear: secret
    /// and token are readable to everyone on the way.
    pub danger_allow_http: Vec<Origin>,
    /// Where the client's id and secret go. Default: [`CredentialPlacement::BasicEncoded`].
    pub credentials: CredentialPlacement,
    /// How the body is written. Default: [`BodyEncoding::Form`].
    pub body: BodyEncoding,
    /// The field that names the grant. Default: `grant_type=client_credentials`.
    pub grant: Grant,
    /// How scopes are asked for. Default: a field `scope`, joined by spaces, not required.
    pub scope: ScopeRule,
    /// Further fields of the body. Default: none.
    pub token_params: BTreeMap<String, ParamValue>,
    /// Further headers of the token request. Default: none. `Accept`, `Content-Type` and the like are set already.
    pub token_headers: BTreeMap<String, ParamValue>,
    /// How the API wants to see the token. Default: `Authorization: Bearer {token}`.
    pub headers: TokenHeaders,
    /// What the answer's fields are called, and how it says when the token ends. Default: `access_token`, `expires_in`.
    pub response: ResponseFields,
    /// The lifetime of a token whose answer states none, or one that cannot be read. Without it, the source's own
    /// default counts (5 minutes).
    pub default_lifetime: Option<Duration>,
    /// The longest lifetime that an answer is believed. The source has a bound of its own (24 hours).
    pub max_lifetime: Option<Duration>,
    /// How long before its expiry a token is refreshed. Without it, the source's own default counts (20 %, at most 1 h).
    pub refresh_margin: Option<Margin>,
    /// Whether a new token kills the client's older one: then none is fetched ahead, and two processes need to share
    /// one source. Default: `false`; not for a bank whose tokens live side by side, since requests wait for each refresh.
    pub single_active: bool,
    /// Which answers of the API reject the token. Default: 401. Not 403 where it speaks of scopes alone: a new token
    /// has the same.
    pub rejection: RejectionStatuses,
    /// How long to leave the token endpoint alone after a 429 that carries no `Retry-After`. Default: as after any
    /// transient failure. At most a day. More than 5 minutes raises
    /// [`Policy::retry`](crate::Policy::retry) to it, so that it is honoured; what you set there
    /// yourself comes last and bounds it.
    pub wait_after_429: Option<Duration>,
    /// How the token endpoint's failures are treated where RFC 6749 and the status do not tell. The first row that
    /// fits counts. Default: none.
    pub failures: Vec<FailureRow>,
    /// How long a secret is, in characters. Default: not checked.
    pub secret_length: Option<SecretLength>,
}

impl Dialect {
    /// Makes a dialect as RFC 6749 has it, for a source of that name and a token endpoint. Set fields to change it.
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
        }
    }

    /// Checks everything that can be checked before a client's id and secret are known.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot work, and the rule that it broke.
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
            .finish()
    }
}
