//! Token endpoint and API through one kind of client, both with one identity.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy, rt::TokioExecutor};
use reqwest::tls::Version;
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    version::{TLS12, TLS13},
};
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, ClientId, OAuthLayer, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    identity::{Identity, RenewingClient, roots_from_pem},
    provider::bankly,
    testing::{Authority, Bank},
};

/// A client whose responses are read to their ends.
pub(crate) type Api = BoxCloneSyncService<Request<Full<Bytes>>, Response<Bytes>, BoxError>;

#[derive(Clone, Copy)]
pub(crate) enum Client {
    Hyper(&'static SupportedProtocolVersion),
    Reqwest(Version),
}

pub(crate) const CLIENTS: [Client; 4] = [
    Client::Hyper(&TLS12),
    Client::Hyper(&TLS13),
    Client::Reqwest(Version::TLS_1_2),
    Client::Reqwest(Version::TLS_1_3),
];

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hyper(_) => "hyper",
            Self::Reqwest(_) => "reqwest",
        }
    }

    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Hyper(version) if version.version == TLS12.version => "1.2",
            Self::Reqwest(Version::TLS_1_2) => "1.2",
            Self::Hyper(_) | Self::Reqwest(_) => "1.3",
        }
    }
}

pub(crate) struct Stack {
    pub(crate) source: TokenSource,
    pub(crate) api: Api,
}

impl Stack {
    pub(crate) fn new(
        client: Client,
        authority: &Authority,
        identity: &Identity,
        bank: &Bank,
    ) -> Result<Self, BoxError> {
        let builder = by_certificate(bank)?.identity(identity.clone());
        let trusted = authority.certificate_pem();
        match client {
            Client::Hyper(version) => {
                let roots = roots_from_pem(trusted.as_bytes())?;
                let make = move |identity: &Identity| Ok(hyper(version, &roots, identity));
                let client = RenewingClient::new(identity, make)?;
                Ok(Self::over(builder.build(client.clone())?, client))
            }
            Client::Reqwest(version) => {
                let trusted = reqwest::Certificate::from_pem(trusted.as_bytes())?;
                let make = move || {
                    reqwest::Client::builder()
                        .tls_certs_only([trusted.clone()])
                        .tls_version_min(version)
                        .tls_version_max(version)
                };
                let client = identity.reqwest_service(make.clone(), &bank.api_origin().parse()?)?;
                Ok(Self::over(builder.build_reqwest_with(make)?, client))
            }
        }
    }

    fn over<S, B>(source: TokenSource, client: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let client = client.map_err(Into::<BoxError>::into);
        let whole = client.and_then(async |response: Response<B>| {
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(Into::into)?;
            Ok::<_, BoxError>(Response::from_parts(head, body.to_bytes()))
        });
        let layer = OAuthLayer::new(source.clone()).retry_rejected();
        Self {
            api: BoxCloneSyncService::new(layer.layer(BoxCloneSyncService::new(whole))),
            source,
        }
    }
}

/// Bankly's endpoint whose tokens are bound to the certificate.
fn by_certificate(bank: &Bank) -> Result<ClientCredentialsBuilder, BoxError> {
    let url = bank
        .mtls_token_url()
        .ok_or("the bank has no such endpoint")?;
    let builder = bankly::mtls_sandbox(ClientId::new(bank.client_id())?);
    let builder = builder.scopes(["boleto.read"]).token_url(url);
    Ok(builder.origin(bank.api_origin()))
}

fn hyper(
    version: &'static SupportedProtocolVersion,
    roots: &RootCertStore,
    identity: &Identity,
) -> legacy::Client<hyper_rustls::HttpsConnector<legacy::connect::HttpConnector>, Full<Bytes>> {
    let provider = std::sync::Arc::new(aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("the provider has suites for both versions")
        .with_root_certificates(roots.clone())
        .with_client_cert_resolver(identity.resolver());
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http1()
        .build();
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}
