//! Whom a client trusts, and the certificate that it shows.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tower_oauth::testing::{Authority, Identity};

/// For `rustls`, in these versions of the protocol.
pub fn rustls_config(
    trusted: &Authority,
    shown: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&trusted.certificate_pem())).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let Some(identity) = shown else {
        return builder.with_no_client_auth();
    };
    let chain = vec![certificate(identity.certificate_pem())];
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes());
    builder.with_client_auth_cert(chain, key.unwrap()).unwrap()
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}
