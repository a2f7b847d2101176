//! What the types promise: which are `Send`, `Sync` and `Clone`, and what a request costs in bytes.

use std::{
    future::{Future, ready},
    mem::size_of_val,
    pin::Pin,
};

use crate::support::{ApiService, Endpoint, get};
use http::{Request, Response};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, Changes, ClientId, ClientSecret, Clock, ConfigError, FetchError, IssuedToken,
    NoRetry, OAuth, OAuthError, OAuthLayer, Origin, Policy, RejectionRule, RetryRejected, Token,
    TokenHeaders, TokenSource, TokenSourceBuilder, client_credentials::Dialect,
    transport::ReqwestService,
};

fn send<T: Send>(_: &T) {}

fn send_sync<T: Send + Sync>() {}

fn sync<T: Sync>(_: &T) {}

fn send_sync_clone<T: Send + Sync + Clone + 'static>() {}

#[test]
fn handles_services_and_layers_are_send_sync_and_clone() {
    send_sync_clone::<TokenSource>();
    send_sync_clone::<IssuedToken>();
    send_sync_clone::<OAuthError>();
    send_sync_clone::<OAuthLayer<NoRetry>>();
    send_sync_clone::<OAuthLayer<RetryRejected>>();
    send_sync_clone::<OAuth<ApiService, NoRetry>>();
    send_sync_clone::<OAuth<ApiService, RetryRejected>>();
    send_sync::<Changes>();
    send_sync::<Token>();
}

/// The reviewed list of the public API leaves these traits out.
#[test]
fn settings_and_errors_are_send_sync_and_clone() {
    send_sync_clone::<Clock>();
    send_sync_clone::<Policy>();
    send_sync_clone::<Origin>();
    send_sync_clone::<ClientId>();
    send_sync_clone::<ClientSecret>();
    send_sync_clone::<TokenHeaders>();
    send_sync_clone::<RejectionRule>();
    send_sync_clone::<Dialect>();
    send_sync_clone::<ReqwestService>();
    send_sync_clone::<ConfigError>();
    send_sync::<FetchError>();
}

#[tokio::test(start_paused = true)]
async fn futures_are_send() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let builder: TokenSourceBuilder = endpoint.builder();
    send(&builder);
    send(&source.token());
    send(&source.ready());
    send(&source.keep_fresh());
    send(&source.changes().next());
    let api = crate::support::Api::ok().service();
    send(
        &OAuthLayer::new(source.clone())
            .layer(api.clone())
            .call(get("/")),
    );
    send(
        &OAuthLayer::new(source)
            .retry_rejected()
            .layer(api)
            .call(get("/")),
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_future_is_sync_where_the_inner_one_is() {
    let layer = OAuthLayer::new(Endpoint::new().source()).retry_rejected();
    let inner = service_fn(|request: Request<String>| {
        ready(Ok::<_, BoxError>(Response::new(request.into_body())))
    });
    sync(&layer.layer(inner).call(get("/")));
    // This is where it is asked for.
    let stack = ServiceBuilder::new().boxed_clone_sync().layer(layer);
    assert_eq!(
        stack
            .service(inner)
            .oneshot(get("/"))
            .await
            .unwrap()
            .status(),
        200
    );
}

/// `Send` and not `Sync`, as a request body may be.
type Unshared = std::cell::Cell<u8>;

#[tokio::test(start_paused = true)]
async fn a_body_need_be_send_and_nothing_more() {
    let inner = service_fn(|request: Request<Unshared>| async move {
        Ok::<_, BoxError>(Response::new(request.into_body()))
    });
    let service = OAuthLayer::new(Endpoint::new().source()).layer(inner);
    let request = Request::get("https://api.example/")
        .body(Unshared::new(7))
        .unwrap();
    let call = service.oneshot(request);
    send(&call);
    assert_eq!(call.await.unwrap().into_body().get(), 7);
}

/// How many bytes a request's future has beyond the inner service's.
async fn overhead<F>(inner: F) -> usize
where
    F: Future<Output = Result<Response<String>, BoxError>> + Clone + Send + 'static,
{
    let size = size_of_val(&inner);
    let source = Endpoint::new().source();
    source.ready().await.unwrap();
    let service = service_fn(move |_: Request<String>| inner.clone());
    let future = OAuthLayer::new(source).layer(service).call(get("/"));
    size_of_val(&future) - size
}

/// A future of this many words.
#[derive(Clone)]
struct Words<const N: usize>([usize; N]);

impl<const N: usize> Future for Words<N> {
    type Output = Result<Response<String>, BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::task::Poll::Ready(Ok(Response::new(format!("{:?}", self.0))))
    }
}

#[tokio::test(start_paused = true)]
async fn without_retry_a_request_costs_at_most_32_bytes_over_the_inner_future() {
    assert!(overhead(Words([0; 2])).await <= 32);
    assert!(overhead(Words([0; 3])).await <= 32);
    assert!(overhead(Words([0; 100])).await <= 32);
}

#[tokio::test(start_paused = true)]
async fn over_a_boxed_service_too() {
    let source = Endpoint::new().source();
    let mut inner = BoxCloneSyncService::new(crate::support::Api::ok().service());
    let mut service = OAuthLayer::new(source.clone()).layer(inner.clone());
    source.ready().await.unwrap();
    let bare = size_of_val(&inner.call(get("/")));
    assert!(size_of_val(&service.call(get("/"))) <= bare + 32);
}
