//! A request that is not the exchange's.

use std::time::Duration;

use http::StatusCode;
use tower::ServiceExt;
use tower_oauth::{
    ClientSecret, SigningAlgorithm,
    client_credentials::{Assertion, Audience, ClientCredentialsBuilder, SigningKey},
    provider,
    testing::{Bank, ClientKey, Exchange},
};

use super::{builder, exchanges, first, hyper};

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
    let error = changed.oneshot(first()).await;
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

#[tokio::test]
async fn an_assertion_that_is_not_the_documents_is_named() {
    let with = |assertion: Assertion| differences("stone.txt", |it| it.assertion(assertion));
    let good = || {
        let production = provider::find("stone").unwrap().dialect("production");
        production.unwrap().assertion.unwrap()
    };
    let mut audience = good();
    audience.audience = Audience::TokenUrl;
    let realm = "https://accounts.openbank.stone.com.br/auth/realms/stone_bank";
    let named = format!("field `client_assertion`: the assertion: aud must be {realm}");
    assert_eq!(with(audience).await, [named]);
    let mut lifetime = good();
    lifetime.lifetime = Duration::from_secs(7200);
    let named = "field `client_assertion`: the assertion: exp must be at most 900 s after iat";
    assert_eq!(with(lifetime).await, [named]);
    let mut claims = good();
    claims.claims.insert("more".into(), "x".into());
    let named = "field `client_assertion`: the assertion: more must not be there";
    assert_eq!(with(claims).await, [named]);
    let other = ClientKey::generate(SigningAlgorithm::Rs256);
    let other = SigningKey::from_pem(other.pem()).unwrap();
    let named = "field `client_assertion`: the assertion: the signature is not the client's";
    assert_eq!(
        differences("stone.txt", |it| it.signing_key(other)).await,
        [named]
    );
}
