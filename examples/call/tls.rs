//! What both clients know of TLS: whom they trust, and the certificate they show.

use std::{fmt::Display, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    client::WantsClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tower_oauth::BoxError;

use crate::args::TlsArgs;

/// `needed`: something is to be called by `https`. A machine without certificate authorities can call the rest.
pub(crate) fn config(args: &TlsArgs, needed: bool) -> Result<ClientConfig, BoxError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = trusting(builder, args.cacert.as_deref(), needed)?;
    match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| {
                format!(
                    "--cert {} with --key {}: {error}",
                    cert.display(),
                    key.display()
                )
                .into()
            }),
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn trusting(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    cacert: Option<&Path>,
    needed: bool,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, BoxError> {
    let Some(file) = cacert else {
        return trusting_the_system(builder, needed);
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        let added = roots.add(certificate);
        added.map_err(|error| unreadable(file, &error))?;
    }
    Ok(builder.with_root_certificates(roots))
}

fn trusting_the_system(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    needed: bool,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, BoxError> {
    match builder.clone().with_platform_verifier() {
        Ok(builder) => Ok(builder),
        Err(error) if needed => Err(format!(
            "the system's certificate authorities cannot be used ({error}): name some with --cacert"
        )
        .into()),
        Err(_) => Ok(builder.with_root_certificates(RootCertStore::empty())),
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, BoxError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(file, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(file, &"it holds no certificate"));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, BoxError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &dyn Display) -> BoxError {
    format!(
        "{} is not the PEM file that it should be: {error}",
        file.display()
    )
    .into()
}
