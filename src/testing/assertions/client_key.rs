//! A key pair that is made for a test.

use std::fmt;

use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{
        self as sig, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
        UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::SigningAlgorithm;

/// A key pair for one algorithm, made for a test: the client signs with its private half, and the
/// [bank](super::Assertions) knows the public one. Do not use it for anything else.
pub struct ClientKey {
    pem: String,
    public: PublicKey,
}

/// The half that a bank knows.
#[derive(Clone)]
pub(super) struct PublicKey {
    pub(super) algorithm: SigningAlgorithm,
    bytes: Vec<u8>,
}

impl ClientKey {
    /// Creates a new key pair: RSA of 2048 bits, or the curve of the algorithm. An RSA key takes some tenths of a
    /// second.
    ///
    /// # Panics
    ///
    /// Panics if the machine has no random numbers.
    pub fn generate(algorithm: SigningAlgorithm) -> Self {
        use SigningAlgorithm as Alg;
        let (der, bytes) = match algorithm {
            Alg::Es256 => ecdsa(&sig::ECDSA_P256_SHA256_FIXED_SIGNING),
            Alg::Es384 => ecdsa(&sig::ECDSA_P384_SHA384_FIXED_SIGNING),
            Alg::EdDsa => {
                let pair = Ed25519KeyPair::generate().expect("random numbers");
                let der = pair.to_pkcs8v1().expect("a new key has an encoding");
                (der.as_ref().to_vec(), public(&pair))
            }
            _ => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("random numbers");
                let der = pair.as_der().expect("a new key has an encoding");
                (der.as_ref().to_vec(), public(&pair))
            }
        };
        Self {
            pem: pem(&der),
            public: PublicKey { algorithm, bytes },
        }
    }

    /// Returns the private half, as PEM in PKCS #8.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the algorithm that it is for.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.public.algorithm
    }

    /// Whether the public half verifies a signature.
    #[cfg(test)]
    pub(crate) fn verifies(&self, message: &str, signature: &[u8]) -> bool {
        self.public.has_signed(message.as_bytes(), signature)
    }

    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }
}

fn ecdsa(curve: &'static EcdsaSigningAlgorithm) -> (Vec<u8>, Vec<u8>) {
    let pair = EcdsaKeyPair::generate(curve).expect("random numbers");
    let der = pair.to_pkcs8v1().expect("a new key has an encoding");
    (der.as_ref().to_vec(), public(&pair))
}

fn public(pair: &impl KeyPair) -> Vec<u8> {
    pair.public_key().as_ref().to_vec()
}

fn pem(der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines = base64.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: Vec<_> = lines.collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

impl PublicKey {
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        use SigningAlgorithm as Alg;
        let by: &'static dyn VerificationAlgorithm = match self.algorithm {
            Alg::Ps256 => &sig::RSA_PSS_2048_8192_SHA256,
            Alg::Ps384 => &sig::RSA_PSS_2048_8192_SHA384,
            Alg::Ps512 => &sig::RSA_PSS_2048_8192_SHA512,
            Alg::Rs256 => &sig::RSA_PKCS1_2048_8192_SHA256,
            Alg::Rs384 => &sig::RSA_PKCS1_2048_8192_SHA384,
            Alg::Rs512 => &sig::RSA_PKCS1_2048_8192_SHA512,
            Alg::Es256 => &sig::ECDSA_P256_SHA256_FIXED,
            Alg::Es384 => &sig::ECDSA_P384_SHA384_FIXED,
            Alg::EdDsa => &sig::ED25519,
        };
        UnparsedPublicKey::new(by, &self.bytes)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey")
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.algorithm.fmt(f)
    }
}
