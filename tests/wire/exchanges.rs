//! Every provider of the catalogue against its recorded exchanges, through hyper and through reqwest.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, Service, ServiceExt};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, FailureClass, OAuthLayer, TokenRequest, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    provider::{self, Provider},
    testing::{Bank, Exchange, RecordedBank},
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

/// The provider's builder as the exchange sets it up, pointed at the recorded bank.
fn builder(exchange: &Exchange, bank: &RecordedBank) -> ClientCredentialsBuilder {
    let setting = |name| exchange.setting(name).unwrap();
    let provider = provider::find(setting("provider")).unwrap();
    builder_of(provider, exchange, bank)
}

fn builder_of(
    provider: &Provider,
    exchange: &Exchange,
    bank: &RecordedBank,
) -> ClientCredentialsBuilder {
    let setting = |name| exchange.setting(name).unwrap();
    let id = ClientId::new(setting("client_id")).unwrap();
    let mut builder = provider.builder(setting("environment"), id).unwrap();
    if let Some(secret) = exchange.setting("client_secret") {
        builder = builder.secret(ClientSecret::new(secret));
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
    builder.token_url(bank.token_url()).origin(bank.origin())
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

fn meaning<'a>(exchange: &'a Exchange, name: &str) -> Option<&'a str> {
    let lines = exchange.answers()[0].meaning.iter();
    lines
        .filter_map(|it| it.strip_prefix(name))
        .next()
        .map(str::trim)
}

#[tokio::test]
async fn every_provider_asks_as_its_document_shows_and_reads_what_it_shows() {
    for (name, exchange) in exchanges() {
        for client in ["hyper", "reqwest"] {
            let case = format!("{name} over {client}");
            let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
            let builder = builder(&exchange, &bank);
            let (source, status) = if client == "hyper" {
                let source = builder.build(hyper()).unwrap();
                let status = call(&source, hyper(), &bank).await;
                (source, status)
            } else {
                let own = reqwest::Client::builder();
                let source = builder.build_reqwest(own).unwrap();
                let origin = bank.origin().parse().unwrap();
                let own = ReqwestService::new(reqwest::Client::builder(), &origin).unwrap();
                let status = call(&source, own, &bank).await;
                (source, status)
            };
            assert_eq!(bank.differences(), Vec::<String>::new(), "{case}");
            assert_eq!(status, StatusCode::OK, "{case}");
            assert_eq!(bank.token_requests(), 1, "{case}");
            let seconds = meaning(&exchange, "lifetime").unwrap().parse().unwrap();
            let lifetime = source.status().lifetime;
            assert_eq!(lifetime, Some(Duration::from_secs(seconds)), "{case}");
        }
    }
}

#[tokio::test]
async fn every_documented_error_is_classified() {
    for (name, exchange) in exchanges() {
        for (number, answer) in exchange.answers().iter().enumerate().skip(1) {
            let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
            bank.answer_with(number);
            let fetcher = builder(&exchange, &bank).fetcher(hyper()).unwrap();
            let first = TokenRequest::first(UNIX_EPOCH);
            let error = fetcher.oneshot(first).await.unwrap_err();
            let expected = match answer.meaning[0].as_str() {
                "permanent" => FailureClass::Permanent,
                "transient" => FailureClass::Transient,
                "unclear" => FailureClass::Unclear,
                other => panic!("{name}: {other}"),
            };
            assert_eq!(error.class(), expected, "{name}: {} {error}", answer.status);
            assert_eq!(bank.differences(), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn every_provider_has_an_exchange() {
    let recorded: BTreeSet<_> = exchanges()
        .iter()
        .map(|(_, it)| it.setting("provider").unwrap().to_owned())
        .collect();
    let known: BTreeSet<_> = provider::all()
        .iter()
        .map(|it| it.name().to_owned())
        .collect();
    assert_eq!(recorded, known);
    assert!(known.len() >= 34, "{}", known.len());
}

#[tokio::test]
async fn what_differs_is_named_member_by_member() {
    let (_, exchange) = exchanges()
        .into_iter()
        .find(|(name, _)| name == "inter.txt")
        .unwrap();
    let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
    let wrong = builder(&exchange, &bank)
        .secret(ClientSecret::new("another-secret-1"))
        .token_param("audience", "x")
        .token_header("x-more", "y");
    let error = wrong
        .fetcher(hyper())
        .unwrap()
        .oneshot(TokenRequest::first(UNIX_EPOCH))
        .await;
    assert!(error.is_err());
    assert_eq!(
        bank.differences(),
        [
            "header `x-more`: the document does not have it",
            "field `client_secret`: has another value than the document's",
            "field `audience`: the document does not have it",
        ]
    );
}

/// The bank that the guide makes up, as its reader copies it.
#[tokio::test]
async fn the_guides_bank_passes() {
    let page = fs::read_to_string("docs/add_a_bank.md").unwrap();
    let block = |fence: &str, with: &str| {
        let fence = format!("```{fence}\n");
        let mut blocks = page.split(fence.as_str()).skip(1);
        let block = blocks.find(|it| it.split("```").next().unwrap().contains(with));
        block.unwrap().split("```").next().unwrap().to_owned()
    };
    let aurora = Provider::from_toml(&block("toml", "Banco Aurora")).unwrap();
    let exchange = Exchange::from_text(&block("text", "provider: aurora")).unwrap();
    let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
    let source = builder_of(&aurora, &exchange, &bank)
        .build(hyper())
        .unwrap();
    assert_eq!(call(&source, hyper(), &bank).await, StatusCode::OK);
    assert_eq!(bank.differences(), Vec::<String>::new());
    assert_eq!(source.status().lifetime, Some(Duration::from_secs(600)));
}
