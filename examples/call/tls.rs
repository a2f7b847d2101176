//! What both clients know of TLS: whom they trust, and the certificate that they show.

use std::{env, fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    client::{WantsClientCert, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
};
use rustls_platform_verifier::{BuilderVerifierExt, Verifier};
use tower_oauth::{
    BoxError, ConfigError, SecretRef,
    identity::{Identity, roots_from_pem},
};
use zeroize::Zeroizing;

use crate::args::{Args, TlsArgs};

/// The protocols that both clients offer, in the order of preference.
pub(crate) const ALPN: [&str; 2] = ["h2", "http/1.1"];

/// The variable that holds the password of the certificate's key.
pub(crate) const PASSWORD: &str = "OAUTH_CERT_PASSWORD";

/// For the clients, and for the connections of `--check`.
pub(crate) struct Tls {
    pub(crate) identity: Option<Identity>,
    pub(crate) trust: Trust,
}

impl Tls {
    pub(crate) fn of(args: &Args) -> Result<Self, BoxError> {
        Ok(Self {
            identity: identity(&args.tls, args.signing.alg.is_some())?,
            trust: Trust::of(&args.tls, is_needed(args))?,
        })
    }
}

/// Whether anything is surely called by `https`; what a dialect's file says is not known here.
fn is_needed(args: &Args) -> bool {
    let token_by_tls = match &args.bank.token_url {
        Some(url) => url.starts_with("https:"),
        None => args.bank.provider.is_some(),
    };
    let scheme = args.url.as_ref().and_then(|url| url.scheme_str());
    token_by_tls || scheme == Some("https")
}

/// The client certificate, if one was named. With `signs` the key of `--key` signs an assertion. It is the
/// certificate's too if the certificate's file has none.
fn identity(args: &TlsArgs, signs: bool) -> Result<Option<Identity>, BoxError> {
    let builder = match (&args.cert, &args.key) {
        (None, _) => return Ok(None),
        (Some(cert), Some(key)) if !(signs && has_key(cert)) => Identity::pem_files(cert, key),
        (Some(cert), _) if is_pkcs12(cert) => Identity::pkcs12_file(cert),
        (Some(cert), _) => Identity::pem_file(cert),
    };
    let builder = match env::var_os(PASSWORD) {
        Some(_) => builder.password_from(SecretRef::Env(PASSWORD.into())),
        None => builder,
    };
    builder
        .build()
        .map(Some)
        .map_err(|error| named(&error, args))
}

/// A file that cannot be read has none; `Identity` then says why it cannot be read.
fn has_key(cert: &Path) -> bool {
    let marker = b"PRIVATE KEY-----";
    let contains = |bytes: Vec<u8>| {
        let bytes = Zeroizing::new(bytes);
        bytes.windows(marker.len()).any(|it| it == marker)
    };
    is_pkcs12(cert) || fs::read(cert).is_ok_and(contains)
}

pub(crate) fn is_pkcs12(path: &Path) -> bool {
    let extension = path.extension().and_then(|it| it.to_str());
    extension.is_some_and(|it| {
        ["p12", "pfx"]
            .iter()
            .any(|known| it.eq_ignore_ascii_case(known))
    })
}

const BY_NAME: &str =
    " (a file whose name ends in .p12 or .pfx is read as PKCS #12, and any other as PEM)";

/// The error by the option or the variable that it is about.
fn named(error: &ConfigError, args: &TlsArgs) -> BoxError {
    let rule = error.rule();
    let is_of_the_other_kind = rule.contains("PKCS #12") && rule.contains("PEM");
    let hint = match rule.contains("encrypted: ") {
        true => format!(" (here: the variable {PASSWORD})"),
        false if is_of_the_other_kind => BY_NAME.into(),
        false => String::new(),
    };
    let option = |name: &str, path: &Path| format!("{name} {}: {rule}{hint}", path.display());
    let text = match (error.field(), &args.cert, &args.key) {
        ("key", _, Some(key)) => option("--key", key),
        ("certificate" | "key" | "pkcs12", Some(cert), _) => option("--cert", cert),
        ("password", ..) => format!("the variable {PASSWORD}: {rule}"),
        _ => error.to_string(),
    };
    text.into()
}

/// Whom the client trusts. `needed`: something is to be called by `https`. A machine without certificate authorities
/// can call the rest.
#[derive(Clone)]
pub(crate) enum Trust {
    Roots(RootCertStore),
    System,
}

impl Trust {
    pub(crate) fn of(args: &TlsArgs, needed: bool) -> Result<Self, BoxError> {
        let Some(path) = &args.cacert else {
            return Self::system(needed);
        };
        let wrong = |what: &str| format!("--cacert {}: {what}", path.display());
        let bytes = fs::read(path)
            .map_err(|error| wrong(&format!("the file cannot be read: {}", error.kind())))?;
        let roots = roots_from_pem(&bytes).map_err(|error| wrong(error.rule()))?;
        Ok(Self::Roots(roots))
    }

    fn system(needed: bool) -> Result<Self, BoxError> {
        match builder().with_platform_verifier() {
            Ok(_) => Ok(Self::System),
            Err(error) if needed => Err(format!(
                "the system's certificate authorities cannot be used ({error}): name some with --cacert"
            )
            .into()),
            Err(_) => Ok(Self::Roots(RootCertStore::empty())),
        }
    }

    /// The verifier that `config` uses.
    pub(crate) fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, BoxError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        Ok(match self {
            Self::Roots(roots) => {
                let roots = Arc::new(roots.clone());
                WebPkiServerVerifier::builder_with_provider(roots, provider).build()?
            }
            Self::System => Arc::new(Verifier::new(provider)?),
        })
    }

    /// Made anew for each certificate: a configuration keeps TLS sessions.
    pub(crate) fn config(&self, identity: Option<&Identity>) -> ClientConfig {
        let builder = match self {
            Self::Roots(roots) => builder().with_root_certificates(roots.clone()),
            Self::System => trusting_the_system(builder()),
        };
        match identity {
            Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
            None => builder.with_no_client_auth(),
        }
    }
}

pub(crate) fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions")
}

fn trusting_the_system(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    builder
        .with_platform_verifier()
        .expect("it could be used when the tool started")
}
