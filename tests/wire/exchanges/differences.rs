//! A request that is not the exchange's.

use std::time::UNIX_EPOCH;

use http::StatusCode;
use tower::ServiceExt;
use tower_oauth::{
    ClientSecret, TokenRequest,
    client_credentials::ClientCredentialsBuilder,
    testing::{Bank, Exchange},
};

use super::{builder, exchanges, hyper};

fn recorded(file: &str) -> Exchange {
    let mut exchanges = exchanges().into_iter();
    exchanges.find(|(name, _)| name == file).unwrap().1
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().build().unwrap()
}

/// What the bank found different in a token request.
async fn differences(
    file: &str,
    change: impl FnOnce(ClientCredentialsBuilder) -> ClientCredentialsBuilder,
) -> Vec<String> {
    let exchange = recorded(file);
    let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
    let changed = change(builder(&exchange, &bank)).fetcher(hyper()).unwrap();
    let error = changed.oneshot(TokenRequest::first(UNIX_EPOCH)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("invalid_request"), "{error}");
    let found = bank.differences();
    assert!(found.iter().all(|it| !it.contains("another-secret-1")));
    found
}

#[tokio::test]
async fn every_member_that_differs_is_named() {
    let found = differences("inter.txt", |builder| {
        builder
            .secret(ClientSecret::new("another-secret-1"))
            .token_param("audience", "x")
            .token_header("x-more", "y")
    });
    assert_eq!(
        found.await,
        [
            "header `x-more`: the document does not have it",
            "field `client_secret`: has another value than the document's",
            "field `audience`: the document does not have it",
        ]
    );
}

#[tokio::test]
async fn a_header_of_another_value_is_named() {
    let found = differences("sicredi-boleto.txt", |builder| {
        builder.token_header("context", "OTHER")
    });
    assert_eq!(
        found.await,
        ["header `context`: has another value than the document's"]
    );
}

#[tokio::test]
async fn a_field_that_is_missing_is_named() {
    let found = differences("pagbank-pix.txt", |builder| builder.scopes(["cob.read"]));
    assert_eq!(
        found.await,
        ["field `scope`: has another value than the document's"]
    );
    let exchange = recorded("efi-pix.txt");
    let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
    let empty = client().post(bank.token_url()).body("{}").send().await;
    assert_eq!(empty.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        bank.differences()[..4],
        [
            "header `accept`: has another value than the document's",
            "header `authorization`: is missing",
            "header `content-type`: is missing",
            "field `grant_type`: is missing",
        ]
    );
}

#[tokio::test]
async fn method_path_and_order_are_named() {
    let exchange = recorded("inter.txt");
    let bank = Bank::from_exchange(exchange, 0).await.unwrap();
    let url = format!("{}/another/path", bank.origin());
    let form = [
        ("accept", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let mut request = client().put(url).body(
        "client_id=client-1&grant_type=client_credentials&client_secret=s3cret-value-1\
         &scope=extrato.read%20boleto-cobranca.read%20cob.write",
    );
    for (name, value) in form {
        request = request.header(name, value);
    }
    request.send().await.unwrap();
    assert_eq!(
        bank.differences(),
        [
            "method: must be POST",
            "path: must be /oauth/v2/token",
            "body: its fields are in another order, or are encoded otherwise",
        ]
    );
}

#[tokio::test]
async fn a_header_that_the_api_misses_is_named() {
    let bank = Bank::from_exchange(recorded("itau.txt"), 0).await.unwrap();
    let request = client().get(bank.api_url());
    let token = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";
    let answer = request.bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(bank.differences(), ["header `x-itau-apikey`: is missing"]);
}
