//! Tower's specification: readiness and errors.

use std::io;

use crate::support::{Api, Endpoint, bearer, get, layered::in_time, millis, secs};
use http::{Request, Response};
use tokio::time::{sleep, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_oauth::{OAuth, OAuthError, OAuthLayer, RetryRejected, TokenSource};
use tower_test::mock::{self, Handle, Mock};

type Peer = Handle<Request<String>, Response<String>>;
type Mocked = OAuth<Mock<Request<String>, Response<String>>, RetryRejected>;

/// The layer over a mock that panics when it is called without having been readied.
fn mocked(source: &TokenSource) -> (Mocked, Peer) {
    let (inner, peer) = mock::pair();
    (
        OAuthLayer::new(source.clone())
            .retry_rejected()
            .layer(inner),
        peer,
    )
}

async fn answer(peer: &mut Peer, status: u16) -> String {
    let (request, answer) = in_time(peer.next_request()).await.unwrap();
    let response = Response::builder().status(status);
    answer.send_response(response.body(String::new()).unwrap());
    bearer(&request)
}

#[tokio::test(start_paused = true)]
async fn the_service_called_is_always_the_one_last_readied() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let (mut service, mut peer) = mocked(&source);
    // Cold, with a token, to a foreign origin, rejected and retried; one service throughout.
    for (uri, statuses) in [
        ("https://api.example/", &[200][..]),
        ("https://api.example/", &[200]),
        ("http://api.example/", &[]),
        ("https://api.example/", &[401, 200]),
        ("https://api.example/", &[200]),
    ] {
        let request = Request::get(uri).body(String::new()).unwrap();
        let response = tokio::spawn(service.ready().await.unwrap().call(request));
        for status in statuses {
            answer(&mut peer, *status).await;
        }
        assert_eq!(
            in_time(response).await.unwrap().is_ok(),
            !statuses.is_empty()
        );
    }
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_asks_for_readiness_again() {
    let endpoint = Endpoint::new().latency(millis(50));
    let (mut service, mut peer) = mocked(&endpoint.source());
    let mut response = tokio::spawn(service.ready().await.unwrap().call(get("/")));
    peer.allow(0);
    assert!(timeout(secs(60), &mut response).await.is_err());
    peer.allow(1);
    assert_eq!(answer(&mut peer, 200).await, "token-1");
    assert_eq!(in_time(response).await.unwrap().unwrap().status(), 200);
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_asks_for_readiness_again() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    source.ready().await.unwrap();
    let (mut service, mut peer) = mocked(&source);
    let mut response = tokio::spawn(service.ready().await.unwrap().call(get("/")));
    peer.allow(0);
    assert_eq!(answer(&mut peer, 401).await, "token-1");
    assert!(timeout(secs(60), &mut response).await.is_err());
    peer.allow(1);
    assert_eq!(answer(&mut peer, 200).await, "token-2");
    assert_eq!(in_time(response).await.unwrap().unwrap().status(), 200);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn readiness_is_the_inner_services_and_so_are_its_errors() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let (mut service, mut peer) = mocked(&source);
    peer.allow(0);
    assert!(timeout(secs(1), service.ready()).await.is_err());
    peer.send_error("the pool is gone");
    let error = service.ready().await.unwrap_err();
    assert_eq!(error.to_string(), "the pool is gone");
    assert!(OAuthError::find(error.as_ref()).is_none());
    assert_eq!(endpoint.attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_after_the_wait_goes_to_the_caller() {
    let endpoint = Endpoint::new().latency(millis(50));
    let (mut service, mut peer) = mocked(&endpoint.source());
    let response = tokio::spawn(service.ready().await.unwrap().call(get("/")));
    sleep(millis(10)).await;
    peer.send_error("the pool is gone");
    let error = in_time(response).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the pool is gone");
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_inner_service_passes_as_it_is() {
    let endpoint = Endpoint::new();
    let inner = service_fn(async |_: Request<String>| {
        Err::<Response<String>, _>(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let service = OAuthLayer::new(endpoint.source()).layer(inner);
    for _ in 0..2 {
        let error = service.clone().oneshot(get("/")).await.unwrap_err();
        let error = error.downcast_ref::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_is_an_error_of_the_call_and_never_of_readiness() {
    let endpoint = Endpoint::new();
    endpoint.then_fail("no");
    let layer = OAuthLayer::new(endpoint.source());
    let mut service = layer.layer(Api::ok().service());
    let error = service
        .ready()
        .await
        .unwrap()
        .call(get("/"))
        .await
        .unwrap_err();
    assert!(OAuthError::find(error.as_ref()).is_some());
    service.ready().await.unwrap();
    assert_eq!(endpoint.attempts(), 1);
}
