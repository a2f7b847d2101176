//! The two halves of a credential, as two types, so that they cannot be swapped.

#[cfg(feature = "client-credentials")]
mod changing;

use std::{env, fmt, fs, path::PathBuf, str, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

#[cfg(feature = "client-credentials")]
pub use self::changing::Secret;
use crate::{
    error::{ConfigError, ConfigErrorKind},
    table::as_table,
    text,
};

/// The public half of a credential. Providers call it `client_id`, `api_key` or `clientId`.
///
/// # Examples
///
/// ```
/// let id = tower_oauth::ClientId::new("aC2yaac23")?;
/// assert_eq!(id.as_str(), "aC2yaac23");
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
///
/// In configuration it is a string, checked as it is read:
///
/// ```
/// use tower_oauth::ClientId;
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     client_id: ClientId,
/// }
///
/// let settings: Settings = toml::from_str("client_id = 'aC2yaac23'")?;
/// assert_eq!(settings.client_id, "aC2yaac23".parse()?);
/// assert!(toml::from_str::<Settings>("client_id = ''").is_err());
/// # Ok::<(), tower_oauth::BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(Box<str>);

impl FromStr for ClientId {
    type Err = ConfigError;

    /// The same as [`ClientId::new`].
    fn from_str(id: &str) -> Result<Self, ConfigError> {
        Self::new(id)
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        Self::new(id).map_err(de::Error::custom)
    }
}

impl ClientId {
    /// Takes an id as the provider issued it.
    ///
    /// # Errors
    ///
    /// Fails if it is empty, has white space at an end, or contains an invisible character: a control character, a
    /// space other than the plain one, a zero-width or text direction mark. Text copied from a page may contain them.
    /// The error names the character and its place.
    ///
    /// ```
    /// let error = tower_oauth::ClientId::new("aC2yaac23\u{200b}").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "invalid `client_id`: holds a zero-width space (U+200B) at character 10; remove it"
    /// );
    /// ```
    pub fn new(id: impl Into<String>) -> Result<Self, ConfigError> {
        let id = id.into();
        check("client_id", &id, false)?;
        Ok(Self(id.into()))
    }

    /// Returns the id.
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
    /// Takes a secret as the provider issued it. It is checked when the source is built: as in [`ClientId::new`], and
    /// for the provider's length. The error names the place of the mistake and shows nothing of the secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(seal(secret.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(crate) fn check(&self, field: &str) -> Result<(), ConfigError> {
        check(field, self.expose(), true)
    }

    /// Without what editors and shells put around a text, and checked.
    pub(crate) fn without_frame(&self, field: &str) -> Result<Self, ConfigError> {
        let secret = Self::new(without_frame(self.expose()));
        secret.check(field)?;
        Ok(secret)
    }

    /// Whether both are the same text. Both are this process's own, so that the time it takes tells nobody anything.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret([secret elided])")
    }
}

/// Copies a text into memory of exactly its size and zeroizes the original. Shrinking in place may move the text and
/// leave its bytes in memory.
pub(crate) fn seal(text: String) -> SecretString {
    let text = Zeroizing::new(text);
    SecretString::from(&**text)
}

/// The place of a secret. Configuration names the place, never the secret.
///
/// ```toml
/// { env = "BANK_API_KEY" }          # an environment variable
/// { file = "/run/secrets/api_key" } # a file, in UTF-8
/// ```
///
/// A byte order mark at the beginning and line breaks at the end are cut off.
///
/// # Examples
///
/// ```
/// use tower_oauth::SecretRef;
///
/// let error = SecretRef::Env("NO_SUCH_VARIABLE".into()).resolve().unwrap_err();
/// assert_eq!(error.to_string(), "invalid `env NO_SUCH_VARIABLE`: is not set");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Fails if the variable is not set, the file cannot be read, the text is empty, or it breaks a rule of
    /// [`ClientId::new`]. The error names the place.
    pub fn resolve(&self) -> Result<ClientSecret, ConfigError> {
        self.check()?;
        let text = self.read()?;
        ClientSecret::new(text.as_str()).without_frame(&self.place())
    }

    /// Checks the name of the place, without reading the secret.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let (field, name) = match self {
            Self::Env(name) => ("env", name.into()),
            Self::File(path) => ("file", path.to_string_lossy()),
        };
        match text::hidden(&name) {
            Some(hidden) => Err(ConfigError::new(field, hidden.rule(false)).given(&name)),
            None => Ok(()),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Env(name) => format!("env {name}"),
            Self::File(path) => format!("file {}", path.display()),
        }
    }

    fn read(&self) -> Result<Zeroizing<String>, ConfigError> {
        match self {
            Self::Env(name) => env::var(name).map(Zeroizing::new).map_err(|error| {
                // Not the error itself: it would quote the value.
                let (kind, rule) = match error {
                    env::VarError::NotPresent => (ConfigErrorKind::Missing, "is not set"),
                    env::VarError::NotUnicode(_) => {
                        (ConfigErrorKind::Unreadable, "is not valid Unicode")
                    }
                };
                ConfigError::new(self.place(), rule).with_kind(kind)
            }),
            Self::File(path) => {
                let unreadable = |rule| {
                    ConfigError::new(self.place(), rule).with_kind(ConfigErrorKind::Unreadable)
                };
                let bytes = fs::read(path).map(Zeroizing::new).map_err(|error| {
                    unreadable(format!("cannot be read: {}", error.kind())).because(error)
                })?;
                let text = str::from_utf8(&bytes)
                    .map_err(|_| unreadable("is not UTF-8; save it as UTF-8 text".to_owned()))?;
                Ok(Zeroizing::new(text.to_owned()))
            }
        }
    }
}

as_table!(
    SecretRef,
    SecretRefKeys,
    r#"`{ env = "MY_BANK_API_KEY" }` or `{ file = "/run/secrets/api_key" }`"#
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "SecretRef", rename_all = "snake_case")]
enum SecretRefKeys {
    Env(String),
    File(PathBuf),
}

/// Removes what editors and shells add to a text that they write into a file.
fn without_frame(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.trim_end_matches(['\r', '\n'])
}

fn check(field: &str, value: &str, is_secret: bool) -> Result<(), ConfigError> {
    let broken = |rule| ConfigError::new(field.to_owned(), rule);
    if value.is_empty() {
        return Err(broken("must not be empty".to_owned()).with_kind(ConfigErrorKind::Missing));
    }
    match text::hidden_or_loose(value) {
        Some(hidden) => Err(broken(hidden.rule(is_secret))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_not_empty_and_has_no_invisible_character() {
        for (text, place) in [
            ("", "empty"),
            ("c4n4ry\n", "U+000A) at character 7"),
            ("c4n4ry ", "U+0020) at character 7"),
            (" c4n4ry", "U+0020) at character 1"),
            ("c4n\u{200b}4ry", "U+200B) at character 4"),
            ("c4n\u{a0}4ry", "U+00A0) at character 4"),
            ("\u{feff}c4n4ry", "U+FEFF) at character 1"),
        ] {
            let error = ClientId::new(text).unwrap_err();
            assert_eq!(error.field(), "client_id");
            assert!(error.rule().contains(place), "{error}");

            let error = ClientSecret::new(text).check("client_secret").unwrap_err();
            assert_eq!(error.field(), "client_secret");
            let place = place.replace(')', "");
            assert!(error.rule().contains(&place), "{error}");
            assert!(!format!("{error} {error:?}").contains("4ry"), "{error}");
        }
        assert!(ClientId::new("an id, of ü").is_ok());
        assert!(ClientSecret::new("s:%+ ü&").check("client_secret").is_ok());
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = SecretRef::Env("TOWER_OAUTH_TEST_UNSET".into())
            .resolve()
            .unwrap_err();
        assert_eq!(error.field(), "env TOWER_OAUTH_TEST_UNSET");
        assert_eq!(error.rule(), "is not set");
    }

    #[test]
    fn a_place_whose_name_forges_a_line_is_rejected() {
        for place in [
            SecretRef::Env("KEY\u{1b}[2J".into()),
            SecretRef::File("/run/\u{202e}key".into()),
        ] {
            let error = place.resolve().unwrap_err();
            assert!(["env", "file"].contains(&error.field()), "{error}");
            assert_eq!(text::hidden(&error.to_string()), None, "{error}");
        }
    }

    fn in_a_file(name: &str, content: &[u8]) -> Result<String, ConfigError> {
        let path = env::temp_dir().join(format!("tower-oauth-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        let secret = SecretRef::File(path.clone()).resolve();
        fs::remove_file(&path).unwrap();
        Ok(secret?.expose().to_owned())
    }

    #[test]
    fn a_files_frame_is_cut_off_and_all_else_in_it_counts() {
        for content in [
            "c4n4ry",
            "c4n4ry\n",
            "c4n4ry\r\n",
            "\u{feff}c4n4ry\r\n",
            "c4n4ry\n\n\n",
        ] {
            let read = in_a_file("framed", content.as_bytes());
            assert_eq!(read.unwrap(), "c4n4ry", "{content:?}");
        }
        for (content, says) in [
            (&b"c4n4ry \n"[..], "U+0020 at character 7"),
            (b"c4n\n4ry", "U+000A at character 4"),
            ("c4n4ry\u{200b}\n".as_bytes(), "U+200B at character 7"),
            (b"\n", "empty"),
            (b"\xff\xfec\x004\x00", "UTF-8"),
        ] {
            let error = in_a_file("wrong", content).unwrap_err();
            assert!(error.field().contains("tower-oauth-"), "{error}");
            assert!(error.rule().contains(says), "{error}");
            assert!(!format!("{error:?}").contains("4ry"), "{error:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_says_why() {
        let error = SecretRef::File("/no/such/file".into())
            .resolve()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid `file /no/such/file`: cannot be read: entity not found"
        );
        assert!(std::error::Error::source(&error).is_some());
    }
}
