//! A verifier and a resolver that note what they are asked. They decide nothing themselves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};
use tower_oauth::BoxError;

use super::certificate::Certificate;
use crate::tls::{self, ALPN, Tls};

/// What a handshake has shown.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) server: Option<Certificate>,
    /// Whether the server's certificate is good.
    pub(super) is_good: bool,
    /// Whether the server asked for the client's.
    pub(super) asked: bool,
}

impl Seen {
    pub(super) fn take(seen: &Mutex<Self>) -> Self {
        std::mem::take(&mut *lock(seen))
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The configuration of both clients, watched.
pub(super) fn config(tls: &Tls, seen: &Arc<Mutex<Seen>>) -> Result<ClientConfig, BoxError> {
    let verifier = Watching {
        inner: tls.trust.verifier()?,
        seen: seen.clone(),
    };
    let own = Asked {
        inner: tls.identity.as_ref().map(|it| it.resolver()),
        seen: seen.clone(),
    };
    let mut config = tls::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(own));
    config.alpn_protocols = ALPN.map(Into::into).into();
    Ok(config)
}

/// The verifier of both clients, and what it was shown.
#[derive(Debug)]
struct Watching {
    inner: Arc<dyn ServerCertVerifier>,
    seen: Arc<Mutex<Seen>>,
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verified = self.inner.verify_server_cert(own, chain, name, ocsp, now);
        let mut seen = lock(&self.seen);
        seen.server = Certificate::read(own);
        seen.is_good = verified.is_ok();
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// The client's certificate, and whether the server wanted to see it.
#[derive(Debug)]
struct Asked {
    inner: Option<Arc<dyn ResolvesClientCert>>,
    seen: Arc<Mutex<Seen>>,
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        lock(&self.seen).asked = true;
        self.inner.as_ref()?.resolve(issuers, schemes)
    }

    fn has_certs(&self) -> bool {
        true
    }
}
