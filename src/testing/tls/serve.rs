//! The TLS settings of a bank.

use std::{io, sync::Arc};

use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::{Authority, Identity, certificate_issuer};
use crate::testing::handler::CertificateIssuer;

/// The TLS settings of a bank. Default: a server certificate for loopback, and clients must show a certificate; one
/// [`Authority`] issues both.
///
/// # Examples
///
/// ```
/// use tower_oauth::testing::{Authority, Bank, Tls};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let authority = Authority::new()?;
/// let bank = Bank::anbima().tls(Tls::new(&authority)?).start().await?;
/// assert!(bank.token_url().starts_with("https://127.0.0.1:"));
/// // The client under test trusts `authority.certificate_pem()` and shows `authority.client("me")?`.
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tls {
    pub(super) authority: Authority,
    identity: Identity,
    certificate_demanded: bool,
}

impl Tls {
    /// Creates settings with a server certificate of this authority. Clients must show a certificate of the same
    /// authority.
    ///
    /// # Errors
    ///
    /// Fails if the machine has no randomness for a key.
    pub fn new(authority: &Authority) -> io::Result<Self> {
        Ok(Self {
            authority: authority.clone(),
            identity: authority.loopback_server()?,
            certificate_demanded: true,
        })
    }

    /// Replaces the server certificate, for example by an expired one, or one of another host or authority.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Accepts clients without a certificate too. A certificate that a client shows must still be valid. Default: the
    /// handshake fails without a certificate.
    #[must_use]
    pub fn client_certificate_optional(mut self) -> Self {
        self.certificate_demanded = false;
        self
    }

    /// A configuration for handshakes with clients whom this verifier lets in.
    pub(super) fn config(&self, clients: Arc<dyn ClientCertVerifier>) -> io::Result<ServerConfig> {
        let certificate =
            CertificateDer::from_pem_slice(self.identity.certificate_pem().as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.identity.key_pem().as_bytes());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![certificate.map_err(io::Error::other)?],
                key.map_err(io::Error::other)?,
            )
            .map_err(io::Error::other)?;
        Ok(config)
    }

    /// Lets in the clients of these authorities.
    pub(super) fn verifier(
        &self,
        authorities: &[&Authority],
    ) -> io::Result<Arc<dyn ClientCertVerifier>> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            let root = CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes());
            roots
                .add(root.map_err(io::Error::other)?)
                .map_err(io::Error::other)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match self.certificate_demanded {
            true => builder,
            false => builder.allow_unauthenticated(),
        };
        builder.build().map_err(io::Error::other)
    }

    pub(in crate::testing) fn certificate_issuer(&self) -> CertificateIssuer {
        let authority = self.authority.clone();
        Box::new(move |request| certificate_issuer::certify(&authority, request))
    }
}
