use std::{fmt, path::Path, sync::Arc};

use super::{
    builder::IdentityBuilder,
    material::{Form, Place},
    shared::{Current, Shared},
    watch,
};
use crate::{
    CertificateStatus, ConfigError,
    lifecycle::{CertificateInUse, WeakTokenSource},
};

/// Who the client is in TLS: a certificate chain and its private key, which can change while the client runs.
///
/// Give one identity to the builder of the token source and to the client of the API: see
/// [`ClientCredentialsBuilder::identity`](crate::client_credentials::ClientCredentialsBuilder::identity),
/// [`reqwest_service`](Self::reqwest_service) and [`RenewingClient`](super::RenewingClient). For a static certificate
/// that your own client already has, you do not need it.
///
/// # Renewal
///
/// The files are looked at every 30 s ([`IdentityBuilder::poll_interval`]), by content: it does not matter whether they
/// are overwritten, moved into place, or mounted by way of a symbolic link. A changed pair is checked before it is
/// used. If it is good, new connections use it at once, and the token that was fetched with the old one is refreshed
/// behind the requests. If it is broken, the old pair stays in use and one `WARN` says what is wrong.
///
/// One task per identity looks at the files, on the Tokio runtime where the identity is first used. It ends with the
/// last handle. A runtime that nobody drives does not look.
///
/// # Expiry
///
/// A `WARN` is logged 30, 14, 7, 3 and 1 days before the end, and then once a day.
/// [`Status::certificate`](crate::Status::certificate) has serial and end.
///
/// # Clone
///
/// A clone is another handle to the same identity.
///
/// # Examples
///
/// ```no_run
/// use tower_oauth::identity::Identity;
///
/// let identity = Identity::pem_files("/run/secrets/tls.crt", "/run/secrets/tls.key").build()?;
/// println!("valid until {:?}", identity.certificate().not_after);
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Identity {
    pub(super) shared: Arc<Shared>,
}

impl Identity {
    /// Takes one PEM file with the private key and the certificate, and its chain if there is one. The order does not
    /// matter.
    pub fn pem_file(path: impl AsRef<Path>) -> IdentityBuilder {
        IdentityBuilder::new(Form::Pem(file(path)))
    }

    /// Takes two PEM files: the certificate with its chain, and the private key.
    pub fn pem_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> IdentityBuilder {
        IdentityBuilder::new(Form::PemPair {
            certificate: file(certificate),
            key: file(key),
        })
    }

    /// Takes PEM with the private key and the certificates, from a vault for example. It does not change while running.
    pub fn pem(pem: impl Into<Vec<u8>>) -> IdentityBuilder {
        IdentityBuilder::new(Form::Pem(bytes(pem.into())))
    }

    /// Takes a PKCS #12 file (`.p12`, `.pfx`), as Brazilian certificate authorities hand them out: with AES, or with
    /// the older 3DES and 40-bit RC2.
    pub fn pkcs12_file(path: impl AsRef<Path>) -> IdentityBuilder {
        IdentityBuilder::new(Form::Pkcs12(file(path)))
    }

    /// Takes the bytes of a PKCS #12 file. It does not change while running.
    pub fn pkcs12(archive: impl Into<Vec<u8>>) -> IdentityBuilder {
        IdentityBuilder::new(Form::Pkcs12(bytes(archive.into())))
    }

    pub(super) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns serial and validity of the certificate in use.
    pub fn certificate(&self) -> CertificateStatus {
        self.current().pair.status.clone()
    }

    /// Looks at the files now instead of at the next interval, and returns whether the certificate changed. Use it
    /// where something else tells you of the change, such as SIGHUP.
    ///
    /// It blocks while it reads the files: inside a runtime, call it in `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the files. The certificate in use stays.
    pub fn reload(&self) -> Result<bool, ConfigError> {
        loop {
            let before = self.version();
            let is_changed = self.shared.apply(self.shared.look())?;
            // The watching task was faster, and may have read what was there before.
            if is_changed || self.version() == before {
                return Ok(is_changed);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn current(&self) -> Arc<Current> {
        self.shared.current.load_full()
    }

    pub(super) fn version(&self) -> u64 {
        self.shared.current.load().version
    }

    pub(super) fn watch(&self) {
        watch::start(&self.shared);
    }

    /// Whether there are files that can change.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn can_change(&self) -> bool {
        self.shared.material.can_change()
    }

    /// What to do about an expired certificate, if it has expired.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn expiry_advice(&self) -> Option<String> {
        let current = self.current();
        let has_expired = current.pair.has_expired(self.shared.clock.wall());
        has_expired.then(|| {
            let status = &current.pair.status;
            format!(
                "The client certificate {} has expired on {}: renew it",
                status.serial,
                super::text::moment(status.not_after)
            )
        })
    }
}

impl CertificateInUse for Identity {
    fn version(&self) -> u64 {
        self.version()
    }

    fn status(&self) -> CertificateStatus {
        self.certificate()
    }

    fn watch(&self) {
        self.watch();
    }

    fn notify(&self, source: WeakTokenSource) {
        self.shared.add(source);
    }
}

fn file(path: impl AsRef<Path>) -> Place {
    Place::File(path.as_ref().to_owned())
}

fn bytes(bytes: Vec<u8>) -> Place {
    Place::Bytes(Arc::new(zeroize::Zeroizing::new(bytes)))
}

/// Serial, validity and places, and nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", &self.current().pair)
            .field("material", &self.shared.material)
            .finish_non_exhaustive()
    }
}
