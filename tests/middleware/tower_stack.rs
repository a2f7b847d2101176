//! The layer among tower's others, and over the services people have.

use std::{convert::Infallible, pin::Pin};

use crate::support::{
    Api, Endpoint, bearer, get,
    layered::{Revoked, delayed, in_time},
    millis, secs,
};
use axum::{Router, body::Body, extract::Request as AxumRequest, routing};
use http::{Request, Response, StatusCode};
use tokio::time::{Sleep, sleep};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, buffer::Buffer, limit::ConcurrencyLimit,
    load_shed::LoadShed, retry::Retry, service_fn, timeout::Timeout, timeout::error::Elapsed,
    util::BoxCloneSyncService,
};
use tower_oauth::{BoxError, OAuthLayer};

/// Sends a request on a cold source and one on a warm one, through a service that is not cloned in between.
async fn assert_works<S>(endpoint: &Endpoint, api: &Api, mut service: S)
where
    S: Service<Request<String>, Response = Response<String>, Error: Into<BoxError>>,
{
    for _ in 0..2 {
        let Ok(ready) = in_time(service.ready()).await else {
            panic!("not ready")
        };
        let Ok(response) = in_time(ready.call(get("/"))).await else {
            panic!("no response")
        };
        assert_eq!(response.status(), 200);
    }
    assert_eq!(api.tokens(), ["token-1", "token-1"]);
    assert_eq!(endpoint.attempts(), 1);
}

fn cold() -> (Endpoint, Api, OAuthLayer<tower_oauth::RetryRejected>) {
    let endpoint = Endpoint::new().latency(millis(50));
    let layer = OAuthLayer::new(endpoint.source()).retry_rejected();
    (endpoint, Api::ok(), layer)
}

#[tokio::test(start_paused = true)]
async fn between_two_buffers() {
    let (endpoint, api, layer) = cold();
    let service = Buffer::new(layer.layer(Buffer::new(api.service(), 1)), 1);
    assert_works(&endpoint, &api, service).await;
}

#[tokio::test(start_paused = true)]
async fn between_two_timeouts() {
    let (endpoint, api, layer) = cold();
    let service = Timeout::new(
        layer.layer(Timeout::new(api.service(), millis(10))),
        secs(1),
    );
    assert_works(&endpoint, &api, service).await;
}

#[tokio::test(start_paused = true)]
async fn between_two_concurrency_limits() {
    let (endpoint, api, layer) = cold();
    let service = ConcurrencyLimit::new(layer.layer(ConcurrencyLimit::new(api.service(), 1)), 1);
    assert_works(&endpoint, &api, service).await;
}

#[tokio::test(start_paused = true)]
async fn between_two_load_sheds() {
    let (endpoint, api, layer) = cold();
    let service = LoadShed::new(layer.layer(LoadShed::new(api.service())));
    assert_works(&endpoint, &api, service).await;
}

#[tokio::test(start_paused = true)]
async fn between_two_boxes() {
    let (endpoint, api, layer) = cold();
    let service = BoxCloneSyncService::new(layer.layer(BoxCloneSyncService::new(api.service())));
    assert_works(&endpoint, &api, service).await;
}

#[tokio::test(start_paused = true)]
async fn in_one_stack_of_all_of_them() {
    let (endpoint, api, layer) = cold();
    let service = ServiceBuilder::new()
        .load_shed()
        .buffer(8)
        .retry(OnceMore)
        .timeout(secs(30))
        .layer(layer)
        .concurrency_limit(4)
        .buffer(4)
        .timeout(secs(5))
        .service(api.service());
    assert_works(&endpoint, &api, BoxCloneSyncService::new(service)).await;
}

/// Tries a request once more, an hour later, when the server is not well.
#[derive(Clone)]
struct OnceMore;

impl<E> tower::retry::Policy<Request<String>, Response<String>, E> for OnceMore {
    type Future = Pin<Box<Sleep>>;

    fn retry(
        &mut self,
        _: &mut Request<String>,
        result: &mut Result<Response<String>, E>,
    ) -> Option<Self::Future> {
        let unwell = result
            .as_ref()
            .is_ok_and(|it| it.status().is_server_error());
        unwell.then(|| Box::pin(sleep(secs(3600))))
    }

    fn clone_request(&mut self, request: &Request<String>) -> Option<Request<String>> {
        Some(request.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn inside_retry_each_attempt_gets_its_own_look_at_the_token() {
    let endpoint = Endpoint::new();
    let api = Api::new(|request| match bearer(request).as_str() {
        "token-1" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    });
    let layered = OAuthLayer::new(endpoint.source()).layer(api.service());
    let response = Retry::new(OnceMore, layered)
        .oneshot(get("/"))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(api.tokens(), ["token-1", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_around_it_ends_the_wait_and_not_the_fetch() {
    let (endpoint, api, layer) = cold();
    let service = Timeout::new(layer.layer(api.service()), millis(20));
    for _ in 0..2 {
        let error = service.clone().oneshot(get("/")).await.unwrap_err();
        assert!(error.is::<Elapsed>(), "{error}");
    }
    sleep(millis(20)).await;
    assert_eq!(service.oneshot(get("/")).await.unwrap().status(), 200);
    assert_eq!((api.calls(), endpoint.attempts()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_time_out_beneath_it_does_not_count_the_wait_for_a_token() {
    let (endpoint, api, layer) = cold();
    let hasty = Timeout::new(delayed(api.service(), millis(5)), millis(10));
    let response = layer.layer(hasty).oneshot(get("/")).await.unwrap();
    assert_eq!(response.status(), 200);
    let slow = Timeout::new(delayed(api.service(), millis(20)), millis(10));
    let error = layer.layer(slow).oneshot(get("/")).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn clones_and_layers_share_one_token() {
    let (endpoint, api, layer) = cold();
    let [one, other] = [
        layer.layer(api.service()),
        layer.clone().layer(api.service()),
    ];
    let calls = [one.clone(), one, other.clone(), other].map(|it| it.oneshot(get("/")));
    for response in futures_util::future::join_all(calls).await {
        assert_eq!(response.unwrap().status(), 200);
    }
    assert_eq!(api.tokens(), vec!["token-1"; 4]);
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn over_a_service_fn_whose_error_is_a_text() {
    let endpoint = Endpoint::new();
    let text = service_fn(async |_: Request<()>| Err::<Response<()>, _>("out of order"));
    let service = OAuthLayer::new(endpoint.source()).layer(text);
    let request = Request::get("https://api.example/").body(()).unwrap();
    let error = service.oneshot(request).await.unwrap_err();
    assert_eq!(error.to_string(), "out of order");
    assert_eq!(endpoint.attempts(), 1);
}

/// Echoes the authorization that reached the handler.
async fn echo(request: AxumRequest) -> Result<String, Infallible> {
    let header = request.headers().get("authorization");
    Ok(header
        .map(|it| it.to_str().unwrap().to_owned())
        .unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn over_an_axum_router_with_relative_uris() {
    let endpoint = Endpoint::new();
    let router = Router::new().route("/cob/{txid}", routing::get(echo));
    let layer = OAuthLayer::new(endpoint.source())
        .relative_to("https://api.example")
        .unwrap();
    let service = layer.layer(router);
    for _ in 0..2 {
        let request = Request::get("/cob/1").body(Body::empty()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 64)
            .await
            .unwrap();
        assert_eq!(body, "Bearer token-1");
    }
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn over_an_axum_router_that_rejects_the_next_request_has_a_new_token() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    revoked.up_to(1);
    let guard = move |request: AxumRequest| async move {
        match revoked.includes(&request.map(|_| String::new())) {
            true => StatusCode::UNAUTHORIZED,
            false => StatusCode::OK,
        }
    };
    let router = Router::new().route("/", routing::post(guard));
    let service = OAuthLayer::new(endpoint.source()).layer(router);
    for status in [401, 200] {
        let request = Request::post("https://api.example/")
            .body(Body::empty())
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
    assert_eq!(endpoint.attempts(), 2);
}
