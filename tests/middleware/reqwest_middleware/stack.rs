//! Seen from the client around it and from other middleware.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use http::{Extensions, StatusCode};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientWithMiddleware, Next, Result};
use tower_oauth::{
    Generation, OAuthError, OAuthMiddleware,
    testing::{Bank, Fault},
};

use super::{middleware, recommended, retrying};

#[tokio::test]
async fn a_failed_fetch_is_found_in_the_clients_error() {
    let bank = Bank::bankly().start().await.unwrap();
    bank.token_fault_always(Fault::oauth_error(
        StatusCode::BAD_REQUEST,
        "invalid_client",
    ));
    let request = retrying(&bank).get(bank.api_url());
    let error = request.send().await.unwrap_err();
    assert_eq!(error.to_string(), "the request was not sent");
    let oauth = OAuthError::find(&error).unwrap();
    assert!(oauth.is_denied());
    assert_eq!(oauth.fetch_error().unwrap().code(), Some("invalid_client"));
}

#[tokio::test]
async fn the_generation_is_shown_on_demand_and_always_on_a_rejection() {
    let bank = Bank::avista().start().await.unwrap();
    let exposing = middleware(&bank).expose_generation();
    let client = recommended(&bank).with(exposing.clone()).build();
    let silent = recommended(&bank)
        .with(OAuthMiddleware::new(exposing.source().clone()))
        .build();
    let generation = async |client: &ClientWithMiddleware| {
        let response = client.get(bank.api_url()).send().await.unwrap();
        let generation = response.extensions().get::<Generation>();
        generation.map(|it| it.get())
    };
    let first = generation(&client).await;
    assert!(first.is_some());
    assert_eq!(generation(&silent).await, None);
    bank.revoke_all();
    assert_eq!(generation(&silent).await, first);
    assert!(generation(&client).await > first);
}

/// What ran, in order; it travels in a request's extensions.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

type Running<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

fn outside<'a>(request: Request, extensions: &'a mut Extensions, next: Next<'a>) -> Running<'a> {
    note(extensions, "outside");
    next.run(request, extensions)
}

fn inside<'a>(request: Request, extensions: &'a mut Extensions, next: Next<'a>) -> Running<'a> {
    assert!(request.headers()["authorization"].is_sensitive());
    note(extensions, "inside");
    next.run(request, extensions)
}

fn note(extensions: &Extensions, what: &'static str) {
    let log: &Log = extensions.get().unwrap();
    log.0.lock().unwrap().push(what);
}

#[tokio::test]
async fn middleware_inside_it_sees_every_attempt_and_outside_it_only_the_request() {
    let bank = Bank::conta_simples().start().await.unwrap();
    let client = recommended(&bank)
        .with(outside)
        .with(middleware(&bank).retry_rejected())
        .with(inside)
        .build();
    let log = Log::default();
    for _ in 0..2 {
        let request = client.get(bank.api_url()).with_extension(log.clone());
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
        bank.revoke_all();
    }
    let ran = log.0.lock().unwrap().clone();
    assert_eq!(ran, ["outside", "inside", "outside", "inside", "inside"]);
}
