//! The identity for `rustls`, and for everything that is built on it.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, SignatureScheme, client::ResolvesClientCert, crypto::aws_lc_rs,
    sign::CertifiedKey,
};

use super::{Identity, pem, shared::Shared};
use crate::ConfigError;

impl Identity {
    /// Returns a `rustls` resolver that shows the certificate in use at each handshake.
    ///
    /// A connection shows its certificate once, and a TLS session can be resumed with it. So build a `ClientConfig` and
    /// a connection pool of their own for each certificate: see [`RenewingClient`](super::RenewingClient).
    pub fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        Arc::new(Resolver(self.shared.clone()))
    }

    /// Returns a `rustls` configuration that trusts these authorities and shows the certificate in use. TLS 1.2 and
    /// 1.3.
    ///
    /// Use it inside [`RenewingClient::new`](super::RenewingClient::new). For the authorities of your bank, see
    /// [`roots_from_pem`]; for those of the system, use `rustls-platform-verifier` with [`resolver`](Self::resolver).
    pub fn client_config(&self, roots: RootCertStore) -> ClientConfig {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions")
            .with_root_certificates(roots)
            .with_client_cert_resolver(self.resolver())
    }
}

/// Reads the authorities to trust from PEM: the root certificates of a bank, for example.
///
/// # Errors
///
/// Returns what is wrong: the text is not PEM, holds no certificate, or a damaged one.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "testing-tls")]
/// # fn main() -> Result<(), tower_oauth::BoxError> {
/// use tower_oauth::{identity::roots_from_pem, testing::Authority};
///
/// let roots = roots_from_pem(Authority::new()?.certificate_pem().as_bytes())?;
/// assert_eq!(roots.len(), 1);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "testing-tls"))]
/// # fn main() {}
/// ```
pub fn roots_from_pem(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let wrong = |rule: String| ConfigError::new("roots", rule);
    let mut roots = RootCertStore::empty();
    for (certificate, number) in pem::certificates(pem).map_err(wrong)?.into_iter().zip(1..) {
        let added = roots.add(certificate);
        added.map_err(|_| wrong(format!("certificate {number} of the file is damaged")))?;
    }
    Ok(roots)
}

struct Resolver(Arc<Shared>);

impl ResolvesClientCert for Resolver {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load().pair.certified.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}
