//! A source for each request, in the request's extensions.

use http::{Request, StatusCode};
use tower::{Layer, ServiceExt};
use tower_oauth::{OAuthError, OAuthErrorKind, OAuthLayer, Token, TokenSource};

use crate::support::{Answer, Api, Endpoint, bearer, get, request};

/// A source whose tokens are the customer's.
fn of(customer: &str) -> (Endpoint, TokenSource) {
    let endpoint = Endpoint::new();
    for number in 1..=2 {
        let token = Token::new(format!("{customer}-{number}"));
        endpoint.then(Answer::Token(token));
    }
    let source = endpoint.builder().name(customer).build().unwrap();
    (endpoint, source)
}

fn with(mut request: Request<String>, source: &TokenSource) -> Request<String> {
    request.extensions_mut().insert(source.clone());
    request
}

#[tokio::test(start_paused = true)]
async fn each_request_goes_out_with_the_token_of_its_own_source() {
    let ((_, ana), (_, bia)) = (of("ana"), of("bia"));
    let api = Api::ok();
    let service = OAuthLayer::from_extension().layer(api.service());
    for source in [&ana, &bia, &ana] {
        let request = with(get("/cob"), source);
        service.clone().oneshot(request).await.unwrap();
    }
    assert_eq!(api.tokens(), ["ana-1", "bia-1", "ana-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_source_is_not_sent() {
    let api = Api::ok();
    let service = OAuthLayer::from_extension()
        .retry_rejected()
        .layer(api.service());
    let error = service.oneshot(get("/cob")).await.unwrap_err();
    let error = OAuthError::find(error.as_ref()).unwrap();
    assert_eq!(error.kind(), OAuthErrorKind::NoSource);
    assert_eq!(error.suggested_status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        error.to_string(),
        "oauth: the request's extensions hold no token source. Insert a `TokenSource` into them before the request \
         reaches the layer."
    );
    assert_eq!(api.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_request_is_retried_with_a_newer_token_of_the_same_source() {
    let ((at_ana, ana), (at_bia, bia)) = (of("ana"), of("bia"));
    let api = Api::new(|request| match bearer(request).as_str() {
        "ana-1" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::OK,
    });
    let service = OAuthLayer::from_extension()
        .retry_rejected()
        .layer(api.service());
    for source in [&bia, &ana, &bia] {
        let request = with(request("POST", "/cob", "x"), source);
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(api.tokens(), ["bia-1", "ana-1", "ana-2", "bia-1"]);
    assert_eq!((at_ana.attempts(), at_bia.attempts()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn each_source_permits_its_own_origins() {
    let (ana, bia) = (Endpoint::new(), Endpoint::new());
    let ana = ana.builder().origin("https://api.example").build().unwrap();
    let bia = bia.builder().origin("https://bia.example").build().unwrap();
    let api = Api::ok();
    let layer = OAuthLayer::from_extension()
        .relative_to("https://api.example")
        .unwrap();
    let service = layer.layer(api.service());
    let relative = || Request::get("/cob").body(String::new()).unwrap();
    let mut answers = Vec::new();
    for request in [
        with(get("/cob"), &ana),
        with(get("/cob"), &bia),
        with(relative(), &ana),
        with(relative(), &bia),
    ] {
        let answer = service.clone().oneshot(request).await;
        answers.push(match &answer {
            Ok(response) => response.status().is_success(),
            Err(error) => {
                let error = OAuthError::find(error.as_ref()).unwrap();
                assert!(error.is_foreign_origin(), "{error}");
                false
            }
        });
    }
    assert_eq!(answers, [true, false, true, false]);
    assert_eq!(api.calls(), 2);
    assert!(OAuthLayer::from_extension().relative_to("nowhere").is_err());
}
