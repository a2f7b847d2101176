//! The providers of the catalogue against their recorded exchanges.

mod differences;
mod every_provider;
mod guide;

use std::fs;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, Service, ServiceExt};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, Clock, OAuthLayer, TokenRequest, TokenSource,
    client_credentials::{ClientCredentialsBuilder, SigningKey},
    provider::{self, Provider},
    testing::{ClientKey, Exchange, RecordedBank},
    transport::ReqwestService,
};

/// Each exchange with the name of its file.
fn exchanges() -> Vec<(String, Exchange)> {
    let folder = fs::read_dir("src/provider/exchanges").unwrap();
    let read = |file: fs::DirEntry| {
        let name = file.file_name().into_string().unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let exchange = Exchange::from_text(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, exchange)
    };
    folder.map(|file| read(file.unwrap())).collect()
}

fn provider_of(exchange: &Exchange) -> &'static Provider {
    provider::find(exchange.setting("provider").unwrap()).unwrap()
}

/// The provider's builder as the exchange sets it up, pointed at the recorded bank.
fn builder(exchange: &Exchange, bank: &RecordedBank) -> ClientCredentialsBuilder {
    builder_of(provider_of(exchange), exchange, bank.client_key())
        .token_url(bank.token_url())
        .origin(bank.origin())
}

/// The same with the provider's own addresses.
fn builder_of(
    provider: &Provider,
    exchange: &Exchange,
    key: Option<&ClientKey>,
) -> ClientCredentialsBuilder {
    let setting = |name| exchange.setting(name).unwrap();
    let id = ClientId::new(setting("client_id")).unwrap();
    let mut builder = provider.builder(setting("environment"), id).unwrap();
    if let Some(secret) = exchange.setting("client_secret") {
        builder = builder.secret(ClientSecret::new(secret));
    }
    if let Some(key) = key {
        builder = builder.signing_key(SigningKey::from_pem(key.pem()).unwrap());
    }
    let scopes = exchange.setting("scopes").unwrap_or_default();
    builder = builder.scopes(scopes.split_whitespace());
    let pairs = |name| {
        exchange
            .settings(name)
            .map(|it| it.split_once('=').unwrap())
    };
    for (name, value) in pairs("token_header") {
        builder = builder.token_header(name, value);
    }
    for (name, value) in pairs("token_param") {
        builder = builder.token_param(name, value);
    }
    for (name, value) in pairs("header_value") {
        builder = builder.header_value(name, value);
    }
    builder
}

fn hyper() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn call<S, B>(source: &TokenSource, client: S, bank: &RecordedBank) -> StatusCode
where
    S: Service<Request<Full<Bytes>>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
{
    let request = Request::get(bank.api_url()).body(Full::default()).unwrap();
    let api = OAuthLayer::new(source.clone()).layer(client);
    api.oneshot(request).await.unwrap().status()
}

fn reqwest_to(bank: &RecordedBank) -> ReqwestService {
    let origin = bank.origin().parse().unwrap();
    ReqwestService::new(reqwest::Client::builder(), &origin).unwrap()
}

/// The first attempt of a fetch, now.
fn first() -> TokenRequest {
    TokenRequest::first(Clock::system().wall())
}
