//! Token endpoint and API through one client, both with one identity from files.

use std::{env, fs, path::PathBuf};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{Layer, ServiceExt};
use tower_oauth::{
    BoxError, ClientId, OAuth, OAuthLayer, RetryRejected, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    identity::{Identity, IdentityBuilder, RenewingClient},
    provider::bankly,
    testing::{self, Authority, Bank},
};

use super::stack::{Client, Credentials};
use crate::{
    support::presets::{Http, at, read_to_end},
    support::tls::rustls_config,
};

/// Two files of its own for each test.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn new(name: &str, pair: &testing::Identity) -> Self {
        let name = format!("tower-oauth-renewal-{}-{name}", std::process::id());
        let folder = env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let files = Self(folder);
        files.write(pair);
        files
    }

    pub(super) fn write(&self, pair: &testing::Identity) {
        fs::write(self.0.join("tls.crt"), pair.certificate_pem()).unwrap();
        fs::write(self.0.join("tls.key"), pair.key_pem()).unwrap();
    }

    pub(super) fn identity(&self) -> IdentityBuilder {
        Identity::pem_files(self.0.join("tls.crt"), self.0.join("tls.key"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Token endpoint and API through one kind of client, both with one identity.
pub(super) struct Renewed {
    pub(super) source: TokenSource,
    api: OAuth<Http, RetryRejected>,
}

impl Renewed {
    pub(super) fn new(
        client: Client,
        authority: &Authority,
        identity: &Identity,
        builder: ClientCredentialsBuilder,
    ) -> Self {
        let builder = builder.identity(identity.clone());
        let trusted = Credentials::showing(authority, None);
        let (source, http) = match client {
            Client::Hyper12 | Client::Hyper13 => {
                let client = hyper(client, authority, identity);
                (builder.build(client.clone()), read_to_end(client))
            }
            Client::Reqwest12 | Client::Reqwest13 => {
                let local = "https://127.0.0.1".parse().unwrap();
                let make = move || trusted.reqwest(client);
                let api = identity.reqwest_service(make.clone(), &local).unwrap();
                (builder.build_reqwest_with(make), read_to_end(api))
            }
        };
        let source = source.unwrap();
        Self {
            api: OAuthLayer::new(source.clone()).retry_rejected().layer(http),
            source,
        }
    }

    pub(super) async fn post(&self, url: &str) -> Result<Response<Bytes>, BoxError> {
        let request = Request::post(url).body("a payment".into()).unwrap();
        self.api.clone().oneshot(request).await
    }
}

fn hyper(
    client: Client,
    authority: &Authority,
    identity: &Identity,
) -> RenewingClient<super::stack::Hyper> {
    let authority = authority.clone();
    let make = move |identity: &Identity| {
        let mut config = rustls_config(&authority, None, client.versions());
        config.client_auth_cert_resolver = identity.resolver();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .build();
        let client = legacy::Client::builder(TokioExecutor::new());
        Ok(client.build::<_, Full<Bytes>>(connector))
    };
    RenewingClient::new(identity, make).unwrap()
}

pub(super) fn issue(authority: &Authority, serial: u64) -> testing::Identity {
    let builder = authority.client_certificate("me").serial(serial);
    builder.issue().unwrap()
}

/// Its tokens are bound to the certificate.
pub(super) fn by_certificate(bank: &Bank) -> ClientCredentialsBuilder {
    let id = ClientId::new(bank.client_id()).unwrap();
    let builder = bankly::mtls_sandbox(id).scopes(["boleto.read"]);
    at(bank, builder).token_url(bank.mtls_token_url().unwrap())
}
