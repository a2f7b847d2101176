//! The token source under `reqwest-middleware`, over real sockets.

mod from_extension;
mod origins;
mod rejections;
mod stack;

use std::time::Duration;

use http::StatusCode;
use reqwest::{Body, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tower_oauth::{
    ClientId, ClientSecret, OAuthMiddleware, TokenSource,
    client_credentials::ClientCredentialsBuilder, provider, testing::Bank,
    transport::ReqwestService,
};

pub(crate) async fn all_banks() -> [Bank; 4] {
    [
        Bank::anbima().start().await.unwrap(),
        Bank::avista().start().await.unwrap(),
        Bank::conta_simples().start().await.unwrap(),
        Bank::bankly().start().await.unwrap(),
    ]
}

pub(crate) fn preset(bank: &Bank) -> ClientCredentialsBuilder {
    let id = ClientId::new(bank.client_id()).unwrap();
    let secret = ClientSecret::new(bank.client_secret());
    match bank.name() {
        "anbima" => provider::anbima::production(id, secret),
        "avista" => provider::avista::production(id, secret),
        "conta-simples" => provider::conta_simples::production(id, secret),
        _ => provider::bankly::production(id, secret).scopes(["boleto.read"]),
    }
}

pub(crate) fn middleware(bank: &Bank) -> OAuthMiddleware {
    let source: TokenSource = preset(bank)
        .token_url(bank.token_url())
        .origin(bank.api_origin())
        .policy(|policy| policy.back_off.min_fetch_interval = Duration::from_millis(1))
        .build_reqwest(reqwest::Client::builder())
        .unwrap();
    OAuthMiddleware::new(source)
}

/// The client that the docs recommend.
pub(crate) fn recommended(bank: &Bank) -> ClientBuilder {
    let origin = bank.api_origin().parse().unwrap();
    let service = ReqwestService::new(reqwest::Client::builder(), &origin).unwrap();
    ClientBuilder::new(service.client().clone())
}

pub(crate) fn retrying(bank: &Bank) -> ClientWithMiddleware {
    let middleware = middleware(bank).retry_rejected();
    recommended(bank).with(middleware).build()
}

pub(crate) async fn get(client: &ClientWithMiddleware, url: &str) -> StatusCode {
    client.get(url).send().await.unwrap().status()
}

pub(crate) async fn post(
    client: &ClientWithMiddleware,
    bank: &Bank,
    body: impl Into<Body>,
) -> Response {
    let request = client.post(bank.api_url()).body(body);
    request.send().await.unwrap()
}
