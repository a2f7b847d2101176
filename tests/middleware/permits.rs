//! A request that waits holds nothing of the inner service: the token fetch may need it.

use crate::support::{
    Api, ApiService, Endpoint, bearer, get,
    layered::{delayed, in_time},
    millis, secs,
};
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use tokio::time::{sleep, timeout};
use tower::{
    Layer, Service, ServiceExt, buffer::Buffer, limit::ConcurrencyLimit, load_shed::LoadShed,
    service_fn, util::BoxCloneSyncService,
};
use tower_oauth::{BoxError, Clock, OAuthLayer, Token, TokenRequest, TokenSource};

/// A bank whose tokens and API come through one service, each after a moment. With `rejects_the_first` it rejects the
/// first token.
fn bank(rejects_the_first: bool) -> (Api, ApiService) {
    let api = Api::new(move |request| match bearer(request).as_str() {
        "token-1" if rejects_the_first => StatusCode::UNAUTHORIZED,
        _ => StatusCode::OK,
    });
    let service = delayed(api.service(), millis(10));
    (api, service)
}

fn token_requests(api: &Api) -> usize {
    api.requests()
        .iter()
        .filter(|it| it.uri().path() == "/token")
        .count()
}

/// A source whose fetcher goes through the same service as the API requests.
fn source_through<S>(service: S) -> TokenSource
where
    S: Service<Request<String>, Response = Response<String>, Error = BoxError>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let mut fetched = 0;
    let fetcher = service_fn(move |_: TokenRequest| {
        let service = service.clone();
        fetched += 1;
        async move {
            service.oneshot(get("/token")).await?;
            Ok::<_, BoxError>(Token::new(format!("token-{fetched}")).with_lifetime(secs(3600)))
        }
    });
    TokenSource::builder(fetcher)
        .clock(Clock::tokio())
        .build()
        .unwrap()
}

/// Four callers that are all ready before any of them calls: between them they hold every permit there is.
async fn four_at_once<S>(service: S, source: &TokenSource)
where
    S: Service<Request<String>, Response = Response<String>, Error = BoxError>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let layered = OAuthLayer::new(source.clone())
        .retry_rejected()
        .layer(service);
    let mut callers = vec![layered; 4];
    for caller in &mut callers {
        in_time(caller.ready()).await.unwrap();
    }
    let calls: Vec<_> = callers.iter_mut().map(|it| it.call(get("/"))).collect();
    let responses = in_time(join_all(calls)).await;
    assert!(responses.into_iter().all(|it| it.unwrap().status() == 200));
}

#[tokio::test(start_paused = true)]
async fn four_cold_callers_under_a_concurrency_limit_of_four_that_the_fetch_shares() {
    let (api, bank) = bank(false);
    let limited = ConcurrencyLimit::new(bank, 4);
    let source = source_through(limited.clone());
    four_at_once(limited, &source).await;
    assert_eq!(token_requests(&api), 1);
}

#[tokio::test(start_paused = true)]
async fn four_cold_callers_under_a_full_buffer_of_four_that_the_fetch_shares() {
    let (api, bank) = bank(false);
    let buffered = Buffer::new(bank, 4);
    let source = source_through(buffered.clone());
    four_at_once(buffered, &source).await;
    assert_eq!(token_requests(&api), 1);
}

#[tokio::test(start_paused = true)]
async fn four_rejected_callers_under_a_concurrency_limit_of_four_that_the_fetch_shares() {
    let (api, bank) = bank(true);
    let limited = ConcurrencyLimit::new(bank, 4);
    let source = source_through(limited.clone());
    source.ready().await.unwrap();
    four_at_once(limited, &source).await;
    assert_eq!(token_requests(&api), 2);
    assert_eq!(source.status().counters.retries, 4);
}

#[tokio::test(start_paused = true)]
async fn four_rejected_callers_under_a_full_buffer_of_four_that_the_fetch_shares() {
    let (api, bank) = bank(true);
    let buffered = Buffer::new(bank, 4);
    let source = source_through(buffered.clone());
    source.ready().await.unwrap();
    four_at_once(buffered, &source).await;
    assert_eq!(token_requests(&api), 2);
}

#[tokio::test(start_paused = true)]
async fn four_callers_rejected_after_waiting_hold_no_permit_either() {
    let (api, bank) = bank(true);
    let limited = ConcurrencyLimit::new(bank, 4);
    let source = source_through(limited.clone());
    four_at_once(limited, &source).await;
    assert_eq!(token_requests(&api), 2);
    assert_eq!(source.status().counters.retries, 4);
}

#[tokio::test(start_paused = true)]
async fn a_single_permit_is_free_while_a_request_waits_for_its_token() {
    let endpoint = Endpoint::new().latency(secs(5));
    let limited = ConcurrencyLimit::new(Api::ok().service(), 1);
    let mut waiting = OAuthLayer::new(endpoint.source()).layer(limited.clone());
    let response = tokio::spawn(waiting.ready().await.unwrap().call(get("/")));
    sleep(millis(1)).await;
    // `LoadShed` would reject at once if the permit were taken.
    assert_eq!(
        LoadShed::new(limited)
            .oneshot(get("/"))
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(in_time(response).await.unwrap().unwrap().status(), 200);
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_for_a_foreign_origin_gives_its_permit_back() {
    let endpoint = Endpoint::new();
    let limited = ConcurrencyLimit::new(Api::ok().service(), 1);
    let mut service = OAuthLayer::new(endpoint.source()).layer(limited.clone());
    let foreign = Request::get("http://evil.example/")
        .body(String::new())
        .unwrap();
    assert!(service.ready().await.unwrap().call(foreign).await.is_err());
    assert_eq!(
        LoadShed::new(limited)
            .oneshot(get("/"))
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(endpoint.attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_while_it_waits_leaves_no_permit_behind() {
    let endpoint = Endpoint::new().latency(secs(5));
    let limited = ConcurrencyLimit::new(Api::ok().service(), 1);
    let service = OAuthLayer::new(endpoint.source()).layer(limited.clone());
    let service = BoxCloneSyncService::new(service);
    for _ in 0..3 {
        assert!(
            timeout(secs(1), service.clone().oneshot(get("/")))
                .await
                .is_err()
        );
    }
    assert_eq!(
        LoadShed::new(limited)
            .oneshot(get("/"))
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        in_time(service.oneshot(get("/"))).await.unwrap().status(),
        200
    );
    assert_eq!(endpoint.attempts(), 1);
}
