//! A JWT that the client signs to prove who it is, as data.

mod check;
mod claim;
mod file;

use std::{collections::BTreeMap, time::Duration};

pub(super) use self::check::check;
pub use self::claim::ClaimValue;
use super::CredentialPlacement;
use crate::SigningAlgorithm;

/// What stands for the client's id in a text.
const CLIENT_ID: &str = "{client_id}";

/// The field of a token request that has the id where the dialect names none.
const ID_FIELD: &str = "client_id";

/// A JWT that the client signs to prove who it is (RFC 7523). Every attempt has a new one, with its own `jti`, `iat`
/// and `exp`.
///
/// Start from [`Assertion::client`] or [`Assertion::grant`] and set fields, or read it from a configuration. Give the
/// key with `ClientCredentialsBuilder::signing_key`, or a signer with `ClientCredentialsBuilder::signer`: both need the
/// cargo feature `jwt`.
///
/// The token request then has neither a secret nor an `Authorization` header, whatever
/// [`Dialect::credentials`](super::Dialect::credentials) says. Only the name of the id's field is taken from there.
///
/// `{client_id}` in the issuer, the subject, the audience or a claim stands for the client's id.
///
/// # Examples
///
/// Open Finance Brasil:
///
/// ```
/// use tower_oauth::{SigningAlgorithm, client_credentials::{Assertion, Dialect}};
///
/// let mut dialect = Dialect::new("transmitter", "https://auth.bank.example/token");
/// let mut assertion = Assertion::client(SigningAlgorithm::Ps256);
/// assertion.kid = Some("the-kid-in-the-directory".into());
/// dialect.assertion = Some(assertion);
/// dialect.check()?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
///
/// Stone, as configuration. Every key but `algorithm` can be left out:
///
/// ```
/// use tower_oauth::client_credentials::Dialect;
///
/// let dialect: Dialect = toml::from_str(r#"
///     name = "stone"
///     token_url = "https://sandbox-accounts.example/auth/realms/stone_bank/protocol/openid-connect/token"
///
///     [assertion]
///     use = "client"
///     algorithm = "RS256"
///     audience = "https://sandbox-accounts.example/auth/realms/stone_bank"
///     issuer = "{client_id}"
///     subject = "{client_id}"
///     lifetime = "15m"
///     issued_at_skew = "5s"
///     not_before = true
///     typ = "JWT"
///     names_client = true
///
///     [assertion.claims]
///     realm = "stone_bank"
///     clientId = "{client_id}"
/// "#)?;
/// dialect.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Assertion {
    /// What the assertion is in the token request. In configuration: `use`. Default: [`AssertionUse::Client`].
    pub usage: AssertionUse,
    /// The algorithm. The key must fit it.
    pub algorithm: SigningAlgorithm,
    /// The claim `aud`. Default: [`Audience::TokenUrl`].
    pub audience: Audience,
    /// The claim `iss`. Default: `{client_id}`.
    pub issuer: String,
    /// The claim `sub`. Default: `{client_id}`.
    pub subject: String,
    /// The time from `iat` to `exp`, in whole seconds: a fraction is cut off. Default: 60 s. At least 1 s and at most
    /// 24 h. Keep it as short as the clocks allow: Open Finance Brasil shows 60 s, Itaú takes at most 300 s, Stone 15
    /// minutes.
    pub lifetime: Duration,
    /// How far `iat` lies before this machine's time, in whole seconds. Default: 0 s. Set a few seconds for a server
    /// that rejects an `iat` in its future and whose clock is behind. `exp` moves with it. It must be shorter than the
    /// lifetime.
    pub issued_at_skew: Duration,
    /// Whether there is a claim `nbf`, equal to `iat`. Default: `false`.
    pub not_before: bool,
    /// The header `typ`. Default: `JWT`. Empty: none.
    pub typ: String,
    /// The header `kid`, by which the bank finds the public key. Default: that of the key, which a JWK may have.
    pub kid: Option<String>,
    /// The header `x5t#S256`: the SHA-256 of the certificate in DER, as base64url without padding. Default: none.
    pub x5t_s256: Option<String>,
    /// Whether the token request also names the client in a field (RFC 7521 §4.2), which is called as in
    /// [`Dialect::credentials`](super::Dialect::credentials), else `client_id`. Default: for [`AssertionUse::Client`]
    /// yes; for [`AssertionUse::Grant`] only if `credentials` is [`CredentialPlacement::IdOnly`].
    pub names_client: Option<bool>,
    /// Further claims. Default: none.
    pub claims: BTreeMap<String, ClaimValue>,
}

/// What an assertion is in a token request. In configuration: `"client"` or `"grant"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AssertionUse {
    /// It authenticates the client (RFC 7523 §2.2): the fields `client_assertion_type` and `client_assertion`, beside
    /// the grant and the scopes. Open Finance Brasil, Stone and Itaú use it.
    #[default]
    Client,
    /// It is the grant itself (RFC 7523 §2.1): `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer` and
    /// `assertion`, as in Bradesco's older API. If [`Dialect::grant`](super::Dialect::grant) is not the default, its
    /// field is sent in place of that `grant_type`.
    Grant,
}

impl AssertionUse {
    /// The field with the assertion.
    pub(in crate::client_credentials) fn field(self) -> &'static str {
        match self {
            Self::Client => "client_assertion",
            Self::Grant => "assertion",
        }
    }
}

/// The claim `aud`: for whom the assertion is.
///
/// In configuration: `"token_url"`, or any other text for [`Text`](Self::Text).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// The token URL in use, without its query. FAPI takes it, and so do most servers.
    #[default]
    TokenUrl,
    /// This text, such as the server's issuer. Stone wants the URL of the realm.
    Text(String),
}

impl Assertion {
    /// Creates an assertion that authenticates the client (RFC 7523 §2.2).
    pub fn client(algorithm: SigningAlgorithm) -> Self {
        Self::new(AssertionUse::Client, algorithm)
    }

    /// Creates an assertion that is the grant (RFC 7523 §2.1).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::{SigningAlgorithm, client_credentials::Assertion};
    ///
    /// let mut assertion = Assertion::grant(SigningAlgorithm::Rs256);
    /// assertion.claims.insert("ver".into(), "1.1".into());
    /// ```
    pub fn grant(algorithm: SigningAlgorithm) -> Self {
        Self::new(AssertionUse::Grant, algorithm)
    }

    fn new(usage: AssertionUse, algorithm: SigningAlgorithm) -> Self {
        Self {
            usage,
            algorithm,
            audience: Audience::default(),
            issuer: CLIENT_ID.into(),
            subject: CLIENT_ID.into(),
            lifetime: Duration::from_secs(60),
            issued_at_skew: Duration::ZERO,
            not_before: false,
            typ: "JWT".into(),
            kid: None,
            x5t_s256: None,
            names_client: None,
            claims: BTreeMap::new(),
        }
    }

    /// The id's field in the token request, if it has one.
    pub(super) fn id_field<'a>(&self, credentials: &'a CredentialPlacement) -> Option<&'a str> {
        let name = match credentials {
            CredentialPlacement::Body { id, .. } | CredentialPlacement::IdOnly { id } => id,
            CredentialPlacement::BasicEncoded
            | CredentialPlacement::BasicRaw
            | CredentialPlacement::Headers { .. } => ID_FIELD,
        };
        let by_default = match self.usage {
            AssertionUse::Client => true,
            AssertionUse::Grant => matches!(credentials, CredentialPlacement::IdOnly { .. }),
        };
        self.names_client.unwrap_or(by_default).then_some(name)
    }
}

/// The text with the client's id in its places.
#[cfg(feature = "jwt")]
pub(in crate::client_credentials) fn with_id(text: &str, id: &crate::ClientId) -> String {
    text.replace(CLIENT_ID, id.as_str())
}
