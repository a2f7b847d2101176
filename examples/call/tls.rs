//! What both clients know of TLS: whom they trust, and the certificate they show.

use std::sync::Arc;

use rustls::{
    ClientConfig, ConfigBuilder, Error, RootCertStore, WantsVerifier, client::WantsClientCert,
    crypto::aws_lc_rs,
};
use rustls_platform_verifier::BuilderVerifierExt;
use tower_oauth::BoxError;

use crate::{args::TlsArgs, pem::PemFile};

/// `needed`: something is to be called by `https`. A machine without certificate authorities can call the rest.
pub(crate) fn config(args: &TlsArgs, needed: bool) -> Result<ClientConfig, BoxError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let file = |option, path| PemFile { option, path };
    let builder = match args.cacert.as_deref() {
        Some(path) => builder.with_root_certificates(roots(file("--cacert", path))?),
        None => trusting_the_system(builder, needed)?,
    };
    match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => showing(builder, file("--cert", cert), file("--key", key)),
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn roots(file: PemFile<'_>) -> Result<RootCertStore, BoxError> {
    let mut roots = RootCertStore::empty();
    for (certificate, number) in file.certificates()?.into_iter().zip(1..) {
        let added = roots.add(certificate);
        added.map_err(|_| file.wrong(&format!("certificate {number} of the file is damaged")))?;
    }
    Ok(roots)
}

fn showing(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    cert: PemFile<'_>,
    key: PemFile<'_>,
) -> Result<ClientConfig, BoxError> {
    let config = builder.with_client_auth_cert(cert.certificates()?, key.private_key()?);
    config.map_err(|error| match error {
        Error::InconsistentKeys(_) => key
            .wrong("the key does not belong to the certificate of --cert")
            .into(),
        Error::InvalidCertificate(_) => cert.wrong("the certificate is damaged").into(),
        _ => key
            .wrong("the key is damaged, or neither RSA nor ECDSA nor Ed25519")
            .into(),
    })
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
