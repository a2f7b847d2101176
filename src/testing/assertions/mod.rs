//! What a bank requires of the JWTs that authenticate a client.

mod client_key;
mod issuer;
mod jwt;
mod token_request;
mod verify;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Mutex,
    time::{Duration, SystemTime},
};

pub use self::client_key::ClientKey;
use self::client_key::PublicKey;
pub(super) use self::issuer::issuer;

/// What a bank requires of a client's assertions (RFC 7523):
/// [`BankBuilder::assertions`](super::BankBuilder::assertions) takes it. The bank then accepts no secret.
///
/// It verifies the signature of each assertion, `alg`, `typ`, `iss` and `sub` (the client's id), `aud`, `iat` and `nbf`
/// (at most 60 s off), `exp` and the lifetime, and `jti`: it answers a repeated one with 403, as Open Finance Brasil
/// does. It denies a header or a claim that is not named here. All clients of the bank sign with the same key.
///
/// # Examples
///
/// A bank that requires what Stone's document says, and its client:
///
/// ```
/// use tower_oauth::{
///     ClientId, SigningAlgorithm,
///     client_credentials::{Assertion, Audience, SigningKey},
///     provider::bankly,
///     testing::{Assertions, Bank, ClientKey},
///     ClientSecret,
/// };
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// const REALM: &str = "https://login.example/auth/realms/stone_bank";
/// let key = ClientKey::generate(SigningAlgorithm::Rs256);
/// let rules = Assertions::client(&key).audience(REALM).claim("realm", "stone_bank");
/// let bank = Bank::bankly().assertions(rules).start().await?;
///
/// let mut assertion = Assertion::client(SigningAlgorithm::Rs256);
/// assertion.audience = Audience::Text(REALM.into());
/// assertion.claims.insert("realm".into(), "stone_bank".into());
/// let id = ClientId::new(bank.client_id())?;
/// let source = bankly::sandbox(id, ClientSecret::new("replaced by the assertion"))
///     .assertion(assertion)
///     .signing_key(SigningKey::from_pem(key.pem())?)
///     .scopes(["boleto.read"])
///     .token_url(bank.token_url())
///     .build_reqwest(reqwest::Client::builder().tls_certs_only([]))?;
/// source.ready().await?;
/// # Ok::<(), tower_oauth::BoxError>(())
/// # })?;
/// # Ok::<(), tower_oauth::BoxError>(())
/// ```
#[must_use]
pub struct Assertions {
    usage: Use,
    key: PublicKey,
    audience: Option<String>,
    kid: Option<String>,
    thumbprint: Option<String>,
    longest_lifetime: Duration,
    needs_not_before: bool,
    claims: BTreeMap<String, String>,
    used: Mutex<HashSet<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Client,
    Grant,
}

impl Assertions {
    /// Why an assertion is denied, or `None` if it is accepted. It is then used up.
    pub(in crate::testing) fn reason_against(
        &self,
        assertion: &str,
        client_id: &str,
        token_url: &str,
        now: SystemTime,
    ) -> Option<String> {
        let expected = verify::Expected {
            client_id,
            token_url,
            now,
        };
        let verified = self.verify(assertion, &expected);
        verified.err().map(|error| error.reason)
    }

    /// Requires an assertion as the client's authentication (RFC 7523 §2.2), signed with this key.
    pub fn client(key: &ClientKey) -> Self {
        Self::new(Use::Client, key)
    }

    /// Requires an assertion as the grant (RFC 7523 §2.1), signed with this key.
    pub fn grant(key: &ClientKey) -> Self {
        Self::new(Use::Grant, key)
    }

    fn new(usage: Use, key: &ClientKey) -> Self {
        Self {
            usage,
            key: key.public().clone(),
            audience: None,
            kid: None,
            thumbprint: None,
            longest_lifetime: Duration::from_secs(300),
            needs_not_before: false,
            claims: BTreeMap::new(),
            used: Mutex::default(),
        }
    }

    /// Sets the `aud` that the bank accepts. Default: the URL of the token endpoint.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the `kid` that the header must have. Default: it must have none.
    pub fn kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Sets the `x5t#S256` that the header must have. Default: it must have none.
    pub fn x5t_s256(mut self, thumbprint: impl Into<String>) -> Self {
        self.thumbprint = Some(thumbprint.into());
        self
    }

    /// Sets the longest time from `iat` to `exp`. Default: 300 s, as at Itaú.
    pub fn longest_lifetime(mut self, lifetime: Duration) -> Self {
        self.longest_lifetime = lifetime;
        self
    }

    /// Requires the claim `nbf`. Default: it is optional.
    pub fn not_before(mut self) -> Self {
        self.needs_not_before = true;
        self
    }

    /// Requires a further claim, with this text.
    pub fn claim(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.claims.insert(name.into(), text.into());
        self
    }
}

/// Without the claims' values.
impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertions")
            .field("use", &self.usage)
            .field("key", &self.key)
            .field("claims", &self.claims.keys())
            .finish_non_exhaustive()
    }
}
