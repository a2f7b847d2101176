//! What must not be printed, and the two halves of a credential as types of their own, so that they cannot be swapped.

use std::{env, fmt, fs, path::PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::ConfigError;

/// The public half of a credential: `client_id`, `api_key`, `clientId`, as the provider calls it.
///
/// # Examples
///
/// ```
/// let id = tower_oauth::ClientId::new("aC2yaac23")?;
/// assert_eq!(id.as_str(), "aC2yaac23");
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// Takes an id as the provider issued it.
    ///
    /// # Errors
    ///
    /// When it is empty, or holds a control character (a stray line break from a file, say).
    pub fn new(id: impl Into<String>) -> Result<Self, ConfigError> {
        let id = id.into();
        check_credential("client_id", &id)?;
        Ok(Self(id.into()))
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The secret half of a credential. It is zeroized when dropped and printed as `[secret elided]`.
///
/// # Examples
///
/// ```
/// let secret = tower_oauth::ClientSecret::new("1bhS45TT");
/// assert!(!format!("{secret:?}").contains("1bhS45TT"));
/// ```
#[derive(Clone)]
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// Takes a secret as the provider issued it. It is checked (not empty, the provider's length) when the source is
    /// built.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(seal(secret.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_credential("client_secret", self.expose())
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret([secret elided])")
    }
}

/// Copies a text into memory of just its size and zeroizes the original: to shrink it in place may move it, and leave its
/// bytes behind.
pub(crate) fn seal(text: String) -> SecretString {
    let text = Zeroizing::new(text);
    SecretString::from(&**text)
}

/// Where a secret is to be found: configuration names the place, never the secret.
///
/// ```toml
/// { env = "BANK_API_KEY" }          # an environment variable
/// { file = "/run/secrets/api_key" } # a file; one trailing line break is cut off
/// ```
///
/// # Examples
///
/// ```
/// use tower_oauth::SecretRef;
///
/// let error = SecretRef::Env("NO_SUCH_VARIABLE".into()).resolve().unwrap_err();
/// assert_eq!(error.to_string(), "invalid `env NO_SUCH_VARIABLE`: must be set to valid unicode");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum SecretRef {
    /// The name of an environment variable.
    Env(String),
    /// The path of a file.
    File(PathBuf),
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    ///
    /// When the variable is not set or the file cannot be read; the error names the place.
    pub fn resolve(&self) -> Result<ClientSecret, ConfigError> {
        let text = match self {
            Self::Env(name) => env::var(name).map_err(|_| {
                ConfigError::new(format!("env {name}"), "must be set to valid unicode")
            })?,
            Self::File(path) => read_secret_file(path)?,
        };
        Ok(ClientSecret::new(text))
    }
}

fn read_secret_file(path: &PathBuf) -> Result<String, ConfigError> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| {
        ConfigError::new(
            format!("file {}", path.display()),
            format!("must be readable: {}", error.kind()),
        )
    })?);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn check_credential(field: &'static str, value: &str) -> Result<(), ConfigError> {
    if value.is_empty() {
        return Err(ConfigError::new(field, "must not be empty"));
    }
    if value.chars().any(char::is_control) {
        return Err(ConfigError::new(
            field,
            "must not hold a control character (a line break at its end?)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_neither_empty_nor_broken_over_lines() {
        assert_eq!(ClientId::new("").unwrap_err().field(), "client_id");
        assert!(ClientId::new("id\n").is_err());
        assert_eq!(
            ClientSecret::new("").check().unwrap_err().field(),
            "client_secret"
        );
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = SecretRef::Env("TOWER_OAUTH_TEST_UNSET".into())
            .resolve()
            .unwrap_err();
        assert_eq!(error.field(), "env TOWER_OAUTH_TEST_UNSET");
    }
}
