//! A private key in memory, which is the default signer.

mod jwk;
mod pem;

use std::{
    borrow::Cow,
    fmt, fs,
    future::{Ready, ready},
    path::Path,
    sync::Arc,
    task::{Context, Poll},
};

use aws_lc_rs::{
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    },
};
use tower::Service;
use zeroize::Zeroizing;

use super::signer::SigningRequest;
use crate::{BoxError, ConfigError, ConfigErrorKind, SigningAlgorithm};

/// The field that errors name.
const FIELD: &str = "signing_key";

/// A private key in memory that signs assertions: RSA from 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519.
///
/// Read it from PEM or from a JWK, and give it to `ClientCredentialsBuilder::signing_key`. For a key that must not be
/// in memory, write a [signer](SigningRequest) instead. It is zeroized when the last clone is dropped, and never
/// printed.
///
/// # Examples
///
/// ```no_run
/// use tower_oauth::client_credentials::SigningKey;
///
/// let key = SigningKey::from_pem_file("/run/secrets/signing.key")?.with_kid("in-the-directory");
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
///
/// An error says what to do:
///
/// ```
/// use tower_oauth::client_credentials::SigningKey;
///
/// let error = SigningKey::from_pem("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "invalid `signing_key`: is a PUBLIC KEY, which cannot sign; give the PRIVATE KEY of the pair"
/// );
/// ```
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Pair>,
    kid: Option<String>,
    /// What a JWK says it is for.
    algorithm: Option<SigningAlgorithm>,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Reads a key in PEM: PKCS #8 (`PRIVATE KEY`), PKCS #1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`). The text
    /// may have other sections as well, such as certificates.
    ///
    /// # Errors
    ///
    /// If there is no private key in it, if it is encrypted or damaged, or if its kind is not supported. The error says
    /// what to do, and quotes nothing.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        pem::read(pem.as_ref()).map_err(|rule| unreadable(FIELD, rule))
    }

    /// Reads a file as [`from_pem`](Self::from_pem) does, once. A key that is replaced later is not noticed.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem), and if the file cannot be read. The error names the file.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        from_file(path.as_ref(), pem::read)
    }

    /// Reads a private JWK (RFC 7517, RFC 7518 §6, RFC 8037): one key as JSON. Its `kid` is used, and its `alg` must be
    /// the assertion's.
    ///
    /// # Errors
    ///
    /// If it is not such a key, if its numbers do not belong together, or if it is for encryption. The error says what
    /// to do, and quotes nothing.
    ///
    /// # Examples
    ///
    /// The key of RFC 8037, appendix A.1:
    ///
    /// ```
    /// use tower_oauth::client_credentials::SigningKey;
    ///
    /// let key = SigningKey::from_jwk(r#"{
    ///     "kty": "OKP",
    ///     "crv": "Ed25519",
    ///     "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    ///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    /// }"#)?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        jwk::read(json.as_ref()).map_err(|rule| unreadable(FIELD, rule))
    }

    /// Reads a file as [`from_jwk`](Self::from_jwk) does, once.
    ///
    /// # Errors
    ///
    /// As [`from_jwk`](Self::from_jwk), and if the file cannot be read. The error names the file.
    pub fn from_jwk_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        from_file(path.as_ref(), jwk::read)
    }

    /// Sets the `kid` of the assertions' header, by which the bank finds the public key. The dialect's `kid` takes
    /// precedence.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Returns the `kid` that was set, or that the JWK has.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether the key can sign with this algorithm.
    pub(in crate::client_credentials) fn check(
        &self,
        algorithm: SigningAlgorithm,
    ) -> Result<(), ConfigError> {
        let broken = |rule| Err(ConfigError::new(FIELD, rule));
        if let Some(own) = self.algorithm.filter(|own| *own != algorithm) {
            return broken(format!(
                "is a JWK for {own}, and `assertion.algorithm` is {algorithm}; change one of the two"
            ));
        }
        match self.pair.scheme(algorithm) {
            Some(_) => Ok(()),
            None => broken(format!(
                "is {}, which signs with {}, and `assertion.algorithm` is {algorithm}; give the key that is registered \
                 for it, or change the algorithm",
                self.pair.kind(),
                self.pair.algorithms()
            )),
        }
    }
}

fn unreadable(field: impl Into<Cow<'static, str>>, rule: String) -> ConfigError {
    ConfigError::new(field, rule).with_kind(ConfigErrorKind::Unreadable)
}

/// The error names the file in place of the field.
fn from_file(
    path: &Path,
    read: fn(&[u8]) -> Result<SigningKey, String>,
) -> Result<SigningKey, ConfigError> {
    let field = || format!("{FIELD} {}", path.display());
    let bytes = fs::read(path).map(Zeroizing::new).map_err(|error| {
        let rule = format!("cannot be read: {}", error.kind());
        unreadable(field(), rule).because(error)
    })?;
    read(&bytes).map_err(|rule| unreadable(field(), rule))
}

impl Pair {
    fn kind(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "an RSA key",
            Self::P256(_) => "an EC key on P-256",
            Self::P384(_) => "an EC key on P-384",
            Self::Ed25519(_) => "an Ed25519 key",
        }
    }

    fn algorithms(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "PS256, PS384, PS512, RS256, RS384 and RS512",
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// How the key signs with an algorithm, if it fits.
    fn scheme(&self, algorithm: SigningAlgorithm) -> Option<Scheme<'_>> {
        use SigningAlgorithm as Alg;
        Some(match (self, algorithm) {
            (Self::Rsa(key), Alg::Ps256) => Scheme::Rsa(key, &RSA_PSS_SHA256),
            (Self::Rsa(key), Alg::Ps384) => Scheme::Rsa(key, &RSA_PSS_SHA384),
            (Self::Rsa(key), Alg::Ps512) => Scheme::Rsa(key, &RSA_PSS_SHA512),
            (Self::Rsa(key), Alg::Rs256) => Scheme::Rsa(key, &RSA_PKCS1_SHA256),
            (Self::Rsa(key), Alg::Rs384) => Scheme::Rsa(key, &RSA_PKCS1_SHA384),
            (Self::Rsa(key), Alg::Rs512) => Scheme::Rsa(key, &RSA_PKCS1_SHA512),
            (Self::P256(key), Alg::Es256) | (Self::P384(key), Alg::Es384) => Scheme::Ecdsa(key),
            (Self::Ed25519(key), Alg::EdDsa) => Scheme::Ed25519(key),
            _ => return None,
        })
    }
}

enum Scheme<'a> {
    Rsa(&'a RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(&'a EcdsaKeyPair),
    Ed25519(&'a Ed25519KeyPair),
}

impl Scheme<'_> {
    fn sign(self, bytes: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Rsa(key, padding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &SystemRandom::new(), bytes, &mut signature)?;
                Ok(signature)
            }
            Self::Ecdsa(key) => Ok(key.sign(&SystemRandom::new(), bytes)?.as_ref().to_vec()),
            Self::Ed25519(key) => Ok(key.try_sign(bytes)?.as_ref().to_vec()),
        }
    }
}

impl Service<SigningRequest> for SigningKey {
    type Response = Vec<u8>;
    type Error = BoxError;
    type Future = Ready<Result<Vec<u8>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// Signs on the spot: it takes about a millisecond with an RSA key of 2048 bits.
    fn call(&mut self, request: SigningRequest) -> Self::Future {
        let fits = self.check(request.algorithm()).map_err(BoxError::from);
        ready(fits.and_then(|()| {
            let scheme = self.pair.scheme(request.algorithm());
            let scheme = scheme.ok_or("the key does not fit the algorithm")?;
            Ok(scheme.sign(request.bytes())?)
        }))
    }
}

/// Without the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kind", &self.pair.kind())
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// The two ways in which the numbers of an EC key reach us.
fn ec(
    key: impl Fn(
        &'static aws_lc_rs::signature::EcdsaSigningAlgorithm,
    ) -> Result<EcdsaKeyPair, KeyRejected>,
) -> Option<Pair> {
    let p256 = key(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256);
    let pair = p256.or_else(|_| key(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Pair::P384));
    pair.ok()
}
