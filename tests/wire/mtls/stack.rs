//! A bank over TLS, and one client, with one certificate, for its token endpoint and its API.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use reqwest::tls::Version;
use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use tower::{Layer, Service, ServiceExt};
use tower_oauth::{
    BoxError, OAuth, OAuthLayer, RetryRejected, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    testing::{Authority, Bank, BankBuilder, Identity, Tls},
    transport::ReqwestService,
};

use crate::{
    support::presets::{Http, read_to_end},
    support::tls::rustls_config,
};

/// Which client carries the requests, by which version of TLS. A client learns of a rejected certificate within the
/// handshake by 1.2, and after it by 1.3.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    Hyper12,
    Hyper13,
    Reqwest12,
    Reqwest13,
}

pub(crate) const CLIENTS: [Client; 4] = [
    Client::Hyper12,
    Client::Hyper13,
    Client::Reqwest12,
    Client::Reqwest13,
];

impl Client {
    pub(crate) fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
        static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
        match self.is_tls_12() {
            true => &ONLY_12,
            false => &ONLY_13,
        }
    }

    fn is_tls_12(self) -> bool {
        matches!(self, Self::Hyper12 | Self::Reqwest12)
    }
}

pub(crate) type Hyper = HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Whom the client trusts, and what it shows.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) trusted: Authority,
    pub(crate) shown: Option<Identity>,
}

impl Credentials {
    /// Those with which everything works.
    pub(crate) fn good(authority: &Authority) -> Self {
        Self {
            trusted: authority.clone(),
            shown: Some(authority.client("me").unwrap()),
        }
    }

    pub(crate) fn showing(authority: &Authority, shown: Option<Identity>) -> Self {
        Self {
            trusted: authority.clone(),
            shown,
        }
    }

    fn hyper(&self, client: Client) -> Hyper {
        let config = rustls_config(&self.trusted, self.shown.as_ref(), client.versions());
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .build();
        HyperClient::builder(TokioExecutor::new()).build(connector)
    }

    pub(crate) fn reqwest(&self, client: Client) -> reqwest::ClientBuilder {
        let trusted = self.trusted.certificate_pem();
        let trusted = reqwest::Certificate::from_pem(trusted.as_bytes()).unwrap();
        let version = match client.is_tls_12() {
            true => Version::TLS_1_2,
            false => Version::TLS_1_3,
        };
        let builder = reqwest::Client::builder()
            .tls_certs_only([trusted])
            .tls_version_min(version)
            .tls_version_max(version);
        let Some(shown) = &self.shown else {
            return builder;
        };
        let pem = format!("{}{}", shown.certificate_pem(), shown.key_pem());
        builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
    }
}

/// A bank that serves over TLS with this authority's certificate, to those alone who show one of it too.
pub(crate) async fn open(bank: BankBuilder, authority: &Authority) -> Bank {
    let tls = Tls::new(authority).unwrap();
    bank.tls(tls).start().await.unwrap()
}

pub(crate) struct Stack {
    pub(crate) source: TokenSource,
    pub(crate) api: OAuth<Http, RetryRejected>,
}

impl Stack {
    /// One client for both.
    pub(crate) fn new(
        client: Client,
        credentials: &Credentials,
        builder: ClientCredentialsBuilder,
    ) -> Self {
        match client {
            Client::Hyper12 | Client::Hyper13 => Self::over(credentials.hyper(client), builder),
            Client::Reqwest12 | Client::Reqwest13 => {
                let local = "https://127.0.0.1".parse().unwrap();
                let service = ReqwestService::new(credentials.reqwest(client), &local);
                Self::over(service.unwrap(), builder)
            }
        }
    }

    fn over<S, B>(client: S, builder: ClientCredentialsBuilder) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let source = builder.build(client.clone()).unwrap();
        let layer = OAuthLayer::new(source.clone()).retry_rejected();
        Self {
            api: layer.layer(read_to_end(client)),
            source,
        }
    }

    pub(crate) async fn post(&self, url: &str) -> Result<Response<Bytes>, BoxError> {
        let request = Request::post(url).body("a payment".into()).unwrap();
        self.api.clone().oneshot(request).await
    }
}
