//! Where certificate and key come from, and how they are read.

use std::{
    fmt, fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::{
    pair::{self, Pair},
    pem::{self, FoundKey},
    pkcs12, text,
};
use crate::{ClientSecret, ConfigError, ConfigErrorKind, SecretRef};

pub(super) const CERTIFICATE: &str = "certificate";
pub(super) const KEY: &str = "key";
pub(super) const PKCS12: &str = "pkcs12";
const PASSWORD: &str = "password";

/// The whole of what an identity is made of.
pub(super) struct Material {
    pub(super) form: Form,
    pub(super) password: Option<Password>,
    /// Which only tells contents of this process from one another: nothing of a key can be found from a fingerprint.
    pub(super) hasher: RandomState,
}

#[derive(Clone)]
pub(super) enum Form {
    /// Certificates and key in one text.
    Pem(Place),
    PemPair {
        certificate: Place,
        key: Place,
    },
    Pkcs12(Place),
}

#[derive(Clone)]
pub(super) enum Place {
    File(PathBuf),
    Bytes(Arc<Zeroizing<Vec<u8>>>),
}

#[derive(Clone)]
pub(super) enum Password {
    Given(ClientSecret),
    In(SecretRef),
}

/// What the places held at one moment.
pub(super) struct Content {
    /// The certificates, or all.
    first: Zeroizing<Vec<u8>>,
    key: Option<Zeroizing<Vec<u8>>>,
    password: Option<ClientSecret>,
    pub(super) fingerprint: u64,
}

impl Material {
    pub(super) fn read(&self) -> Result<Content, ConfigError> {
        let (first, key) = match &self.form {
            Form::Pem(place) => (place.read(CERTIFICATE)?, None),
            Form::PemPair { certificate, key } => {
                (certificate.read(CERTIFICATE)?, Some(key.read(KEY)?))
            }
            Form::Pkcs12(place) => (place.read(PKCS12)?, None),
        };
        let password = self.password.as_ref().map(Password::read).transpose()?;
        let mut hasher = self.hasher.build_hasher();
        let secret = password.as_ref().map(ClientSecret::expose);
        for part in [
            Some(&**first),
            key.as_ref().map(|it| &***it),
            secret.map(str::as_bytes),
        ] {
            hasher.write_usize(part.map_or(0, <[u8]>::len));
            hasher.write(part.unwrap_or_default());
        }
        Ok(Content {
            first,
            key,
            password,
            fingerprint: hasher.finish(),
        })
    }

    /// Parses and checks it. One that is not valid yet is left to the caller.
    pub(super) fn parse(&self, content: &Content, now: SystemTime) -> Result<Pair, ConfigError> {
        let (certificates, key) = match &self.form {
            Form::Pkcs12(place) => {
                let opened = pkcs12::open(&content.first, content.password());
                opened
                    .map_err(|mistake| match mistake {
                        pkcs12::Mistake::Password(rule) => ConfigError::new(PASSWORD, rule),
                        pkcs12::Mistake::Archive(rule) => place
                            .wrong(PKCS12, rule)
                            .with_kind(ConfigErrorKind::Unreadable),
                    })
                    .map(|(key, certificates)| (certificates, key))?
            }
            Form::Pem(_) | Form::PemPair { .. } => {
                let certificates = pem::certificates(&content.first);
                let certificates = certificates
                    .map_err(|rule| self.certificate_place().wrong(CERTIFICATE, rule))
                    .map_err(|error| error.with_kind(ConfigErrorKind::Unreadable))?;
                (certificates, self.key(content)?)
            }
        };
        let pair = Pair::new(certificates, key).map_err(|mistake| self.wrong_pair(mistake))?;
        match pair.has_expired(now) {
            true => Err(self.wrong_certificate(format!(
                "the certificate has expired on {}; ask the authority for a new one",
                text::moment(pair.status.not_after)
            ))),
            false => Ok(pair),
        }
    }

    pub(super) fn wrong_certificate(&self, rule: String) -> ConfigError {
        self.certificate_place()
            .wrong(self.certificate_field(), rule)
    }

    fn key(&self, content: &Content) -> Result<PrivateKeyDer<'static>, ConfigError> {
        let bytes = content.key.as_deref().unwrap_or(&content.first);
        let found = pem::private_key(bytes).map_err(|rule| match &content.key {
            Some(_) => self.key_place().wrong(KEY, rule),
            None => self.key_place().wrong(
                KEY,
                format!("{rule}; if the key is in a file of its own, give that file too"),
            ),
        })?;
        match (found, content.password()) {
            (FoundKey::Plain(key), _) => Ok(key),
            (FoundKey::Encrypted(_), None) => Err(self.key_place().wrong(
                KEY,
                "the key is encrypted: give its password, or decrypt it with `openssl pkey`",
            )),
            (FoundKey::Encrypted(der), Some(password)) => {
                decrypted(&der, password).map_err(|rule| ConfigError::new(PASSWORD, rule))
            }
        }
    }

    fn wrong_pair(&self, mistake: pair::Mistake) -> ConfigError {
        match mistake {
            pair::Mistake::Certificate(rule) => self.wrong_certificate(rule),
            pair::Mistake::Key(rule) => self.key_place().wrong(KEY, rule),
        }
    }

    fn certificate_field(&self) -> &'static str {
        match self.form {
            Form::Pem(_) | Form::PemPair { .. } => CERTIFICATE,
            Form::Pkcs12(_) => PKCS12,
        }
    }

    fn certificate_place(&self) -> &Place {
        match &self.form {
            Form::Pem(place) | Form::Pkcs12(place) => place,
            Form::PemPair { certificate, .. } => certificate,
        }
    }

    fn key_place(&self) -> &Place {
        match &self.form {
            Form::Pem(place) | Form::Pkcs12(place) => place,
            Form::PemPair { key, .. } => key,
        }
    }

    /// The key's file, if every user of the machine may read it.
    pub(super) fn exposed_key(&self) -> Option<&Path> {
        match self.key_place() {
            Place::File(path) if is_readable_by_all(path) => Some(path),
            _ => None,
        }
    }

    /// Whether there are files, which may change.
    pub(super) fn can_change(&self) -> bool {
        let places = [self.certificate_place(), self.key_place()];
        let has_file = places.iter().any(|it| matches!(it, Place::File(_)));
        has_file || matches!(self.password, Some(Password::In(_)))
    }
}

impl Content {
    fn password(&self) -> Option<&str> {
        self.password.as_ref().map(ClientSecret::expose)
    }
}

impl Password {
    fn read(&self) -> Result<ClientSecret, ConfigError> {
        match self {
            Self::Given(password) => Ok(password.clone()),
            Self::In(place) => place.resolve(),
        }
    }
}

impl Place {
    fn read(&self, field: &'static str) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
        match self {
            Self::Bytes(bytes) => Ok(Zeroizing::clone(bytes)),
            Self::File(path) => fs::read(path).map(Zeroizing::new).map_err(|error| {
                self.wrong(field, format!("the file cannot be read: {}", error.kind()))
                    .with_kind(ConfigErrorKind::Unreadable)
                    .because(error)
            }),
        }
    }

    fn wrong(
        &self,
        field: &'static str,
        rule: impl Into<std::borrow::Cow<'static, str>>,
    ) -> ConfigError {
        let error = ConfigError::new(field, rule);
        match self {
            Self::File(path) => error.given(&path.to_string_lossy()),
            Self::Bytes(_) => error,
        }
    }
}

fn decrypted(der: &[u8], password: &str) -> Result<PrivateKeyDer<'static>, &'static str> {
    let sealed = EncryptedPrivateKeyInfoRef::try_from(der).map_err(
        |_| "cannot be tried: the encrypted key is damaged, or its cipher is not supported",
    )?;
    let opened = sealed
        .decrypt(password)
        .map_err(|_| "does not open the key")?;
    let key = PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec());
    Ok(key.into())
}

#[cfg(unix)]
fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_all(_: &Path) -> bool {
    false
}

/// The places, without what is in them.
impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |place: &Place| match place {
            Place::File(path) => path.display().to_string(),
            Place::Bytes(_) => "bytes".into(),
        };
        let mut debug = f.debug_struct("Material");
        match &self.form {
            Form::Pem(place) => debug.field("pem", &path(place)),
            Form::PemPair { certificate, key } => debug
                .field("certificate", &path(certificate))
                .field("key", &path(key)),
            Form::Pkcs12(place) => debug.field("pkcs12", &path(place)),
        };
        debug.finish_non_exhaustive()
    }
}
