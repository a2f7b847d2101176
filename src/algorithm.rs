//! The algorithms that sign an assertion.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// An algorithm that signs a JWT, by its name in RFC 7518 §3.1 and RFC 8037 §3.1.
///
/// Take the one that the bank's document names. If it leaves you the choice, take [`Ps256`](Self::Ps256) with an RSA
/// key and [`Es256`](Self::Es256) with an elliptic curve. In configuration: `"PS256"`, `"RS256"`, `"ES256"`, `"EdDSA"`,
/// …
///
/// # Examples
///
/// ```
/// use tower_oauth::SigningAlgorithm;
///
/// let algorithm: SigningAlgorithm = "PS256".parse()?;
/// assert_eq!(algorithm, SigningAlgorithm::Ps256);
/// assert_eq!(algorithm.as_str(), "PS256");
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// RSA with PSS padding and SHA-256. FAPI, and with it Open Finance Brasil, requires it.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA with PSS padding and SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSA with PSS padding and SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// RSA with PKCS #1 v1.5 padding and SHA-256 (Stone, Itaú, Bradesco). Do not use it if the server takes PS256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA with PKCS #1 v1.5 padding and SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSA with PKCS #1 v1.5 padding and SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// ECDSA on the curve P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on the curve P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SigningAlgorithm {
    const ALL: [Self; 9] = [
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// Returns the name, which is a JWT's `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SigningAlgorithm {
    type Err = ConfigError;

    /// Takes the name as the RFC writes it.
    fn from_str(name: &str) -> Result<Self, ConfigError> {
        let known = Self::ALL.into_iter().find(|it| it.as_str() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            ConfigError::new("algorithm", format!("must be one of {names}")).given(name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_everywhere() {
        for algorithm in SigningAlgorithm::ALL {
            let name = algorithm.as_str();
            assert_eq!(name.parse(), Ok(algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), name);
            assert_eq!(
                serde_json::from_value::<SigningAlgorithm>(name.into()).unwrap(),
                algorithm
            );
        }
        let error = "none".parse::<SigningAlgorithm>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid `algorithm` \"none\": must be one of PS256, PS384, PS512, RS256, RS384, RS512, ES256, ES384, EdDSA"
        );
    }
}
