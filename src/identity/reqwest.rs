//! The identity for `reqwest`.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::ClientBuilder;
use rustls::pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::{Identity, RenewingClient, pair::Pair};
use crate::{ConfigError, Origin, transport::ReqwestService};

impl Identity {
    /// Returns the certificate in use for `reqwest::ClientBuilder::identity`. A client that is built with it keeps this
    /// certificate: see [`reqwest_service`](Self::reqwest_service).
    ///
    /// # Errors
    ///
    /// Returns an error if `reqwest` cannot read the pair.
    pub fn reqwest_identity(&self) -> Result<reqwest::Identity, ConfigError> {
        let pem = pem(&self.current().pair);
        reqwest::Identity::from_pem(pem.as_bytes())
            .map_err(|_| ConfigError::new("identity", "cannot be read by `reqwest`"))
    }

    /// Builds a `reqwest` client for the API that follows changes of the certificate. `make` gives the client's
    /// settings without its identity, for example `reqwest::Client::builder`; it is called anew for each certificate.
    /// The rest is that of [`ReqwestService::new`].
    ///
    /// # Errors
    ///
    /// Returns an error if `reqwest` cannot build the client, or cannot read the destination.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tower_oauth::{Origin, identity::Identity};
    ///
    /// let identity = Identity::pem_files("/run/secrets/tls.crt", "/run/secrets/tls.key").build()?;
    /// let api: Origin = "https://api.example".parse()?;
    /// let client = identity.reqwest_service(reqwest::Client::builder, &api)?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn reqwest_service(
        &self,
        make: impl Fn() -> ClientBuilder + Send + Sync + 'static,
        destination: &Origin,
    ) -> Result<RenewingClient<ReqwestService>, ConfigError> {
        let destination = destination.clone();
        RenewingClient::new(self, move |identity| {
            ReqwestService::new(make().identity(identity.reqwest_identity()?), &destination)
        })
    }
}

/// As one text, which is all that `reqwest` takes.
fn pem(pair: &Pair) -> Zeroizing<String> {
    let (label, key) = match &*pair.key {
        PrivateKeyDer::Pkcs1(key) => ("RSA PRIVATE KEY", key.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(key) => ("EC PRIVATE KEY", key.secret_sec1_der()),
        key => ("PRIVATE KEY", key.secret_der()),
    };
    let chain = pair.certified.cert.iter();
    let chain: String = chain.map(|it| section("CERTIFICATE", it)).collect();
    let key = Zeroizing::new(section(label, key));
    Zeroizing::new([&chain, &**key].concat())
}

/// It is allocated once, so that no copy of a key is left behind.
fn section(label: &str, der: &[u8]) -> String {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let (begin, end) = (["-----BEGIN ", label], ["-----END ", label]);
    [
        &*begin.concat(),
        "-----\n",
        &base64,
        "\n",
        &*end.concat(),
        "-----\n",
    ]
    .concat()
}
