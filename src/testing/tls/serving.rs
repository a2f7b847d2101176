//! What a bank's TLS accepts, which can change while the bank runs.

use std::{fmt, io, sync::Arc};

use arc_swap::ArcSwap;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
        SignatureScheme,
        client::danger::HandshakeSignatureValid,
        pki_types::{CertificateDer, UnixTime, pem::PemObject},
        server::danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{Authority, Identity, Tls};

pub(in crate::testing) struct Serving {
    tls: Tls,
    /// Replaced as a whole: a session of a client that is no longer let in must not be resumed.
    config: ArcSwap<ServerConfig>,
}

impl Serving {
    pub(in crate::testing) fn new(tls: Tls) -> io::Result<Self> {
        let clients = tls.verifier(&[&tls.authority])?;
        Ok(Self {
            config: ArcSwap::from_pointee(tls.config(clients)?),
            tls,
        })
    }

    pub(in crate::testing) fn acceptor(&self) -> TlsAcceptor {
        self.config.load_full().into()
    }

    pub(in crate::testing) fn accept_clients_of(
        &self,
        authorities: &[&Authority],
    ) -> io::Result<()> {
        self.accept(self.tls.verifier(authorities)?)
    }

    pub(in crate::testing) fn accept_only(&self, clients: &[&Identity]) -> io::Result<()> {
        let allowed = clients.iter().map(|it| certificate(it));
        self.accept(Arc::new(Only {
            good: self.tls.verifier(&[&self.tls.authority])?,
            allowed: allowed.collect::<io::Result<_>>()?,
        }))
    }

    fn accept(&self, clients: Arc<dyn ClientCertVerifier>) -> io::Result<()> {
        self.config.store(Arc::new(self.tls.config(clients)?));
        Ok(())
    }
}

pub(in crate::testing) fn certificate(identity: &Identity) -> io::Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes()).map_err(io::Error::other)
}

/// Lets in good certificates that are on a list. To all others the bank says that theirs is revoked.
struct Only {
    good: Arc<dyn ClientCertVerifier>,
    allowed: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for Only {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.good.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.good.client_auth_mandatory()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.good.verify_client_cert(certificate, issuers, now)?;
        match self.allowed.iter().any(|it| it == certificate) {
            true => Ok(verified),
            false => Err(CertificateError::Revoked.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.good
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.good
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.good.supported_verify_schemes()
    }
}

impl fmt::Debug for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Only").finish_non_exhaustive()
    }
}
