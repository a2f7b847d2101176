//! Where the client's id and secret go in a token request, and what else its body holds.

use serde::{Deserialize, Serialize};

/// Where the client's id and secret go.
///
/// In configuration: `"basic_encoded"`, `"basic_raw"`, `{ body = { id = "clientId", secret = "clientSecret" } }` or `{
/// id_only = { id = "client_id" } }`. A field name can be left out if it is that of RFC 6749; if all are, `"body"` or
/// `"id_only"` is enough.
///
/// # Examples
///
/// ```
/// use tower_oauth::client_credentials::{CredentialPlacement, Dialect};
///
/// let dialect: Dialect = toml::from_str(r#"
///     name = "bank"
///     token_url = "https://login.example/token"
///     credentials = { body = { secret = "clientSecret" } }
/// "#)?;
/// let CredentialPlacement::Body { id, secret } = dialect.credentials else { panic!() };
/// assert_eq!((id.as_str(), secret.as_str()), ("client_id", "clientSecret"));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialPlacement {
    /// `Authorization: Basic`, id and secret each form-urlencoded before they are joined (RFC 6749 §2.3.1). A space is
    /// written `%20`, since some servers decode only that. Do not use it for a server that does not decode: the worked
    /// example in its documentation encodes `id:secret` unchanged.
    #[default]
    BasicEncoded,
    /// `Authorization: Basic` over the unchanged `id:secret` (RFC 7617), which many servers expect. The id must not
    /// hold a colon.
    BasicRaw,
    /// Two fields of the body (RFC 6749 §2.3.1). Do not use it if the server also accepts Basic: the RFC advises
    /// against it.
    Body {
        /// The name of the id's field.
        id: String,
        /// The name of the secret's field.
        secret: String,
    },
    /// The id alone, as a field of the body. The client authenticates with its TLS certificate (RFC 8705 §2), and has
    /// no secret.
    IdOnly {
        /// The name of the id's field.
        id: String,
    },
    /// Two headers of the token request (Siscomex). In configuration:
    /// `{ headers = { id = "Client-Id", secret = "Client-Secret" } }`.
    Headers {
        /// The name of the id's header.
        id: String,
        /// The name of the secret's header.
        secret: String,
    },
}

impl CredentialPlacement {
    pub(super) fn is_basic(&self) -> bool {
        matches!(self, Self::BasicEncoded | Self::BasicRaw)
    }

    /// Whether the credentials need no body.
    pub(in crate::client_credentials) fn in_headers(&self) -> bool {
        self.is_basic() || matches!(self, Self::Headers { .. })
    }
}

/// How the body of a token request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BodyEncoding {
    /// `application/x-www-form-urlencoded` (RFC 6749 §4.4.2).
    #[default]
    Form,
    /// One JSON object.
    Json,
    /// No body. The credentials must then use Basic, and the request can have no other fields.
    Empty,
}

/// The field that names the grant.
///
/// In configuration: `"client_credentials"`, `"absent"` or `{ field = { name = "grantType", value = "…" } }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grant {
    /// `grant_type` of `client_credentials` (RFC 6749 §4.4.2).
    #[default]
    ClientCredentials,
    /// No such field. Do not use it for servers that follow the RFC: they require it.
    Absent,
    /// A field of the provider's own.
    Field {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Grant {
    pub(super) fn pair(&self) -> Option<(&str, &str)> {
        match self {
            Self::ClientCredentials => Some(("grant_type", "client_credentials")),
            Self::Absent => None,
            Self::Field { name, value } => Some((name, value)),
        }
    }
}

/// How many characters a provider's secrets have. A shorter or longer one is an error when the source is built.
///
/// # Examples
///
/// ```
/// use tower_oauth::client_credentials::{Dialect, SecretLength};
///
/// let mut dialect = Dialect::new("bank", "https://login.example/token");
/// dialect.secret_length = Some(SecretLength::new(8, 64));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretLength {
    /// The fewest.
    pub min: usize,
    /// The most.
    pub max: usize,
}

impl SecretLength {
    /// Takes the fewest and the most characters, both included.
    pub fn new(min: usize, max: usize) -> Self {
        Self { min, max }
    }
}
