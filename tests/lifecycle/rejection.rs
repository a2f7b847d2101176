//! The API rejects a token in so many words (a 401): what that costs, whom it touches, and who gets what.

use crate::support::{
    Api, ApiService, Endpoint, bearer, generation, get,
    layered::{self, Revoked, delayed, in_time, plain, retrying, send, status},
    millis, secs,
};
use futures_util::{FutureExt, future::join_all};
use http::{Response, StatusCode};
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, Service, ServiceExt};
use tower_oauth::{FetchError, OAuthLayer, SourceState, TokenSource, TokenSourceBuilder};
use tower_test::mock;

#[tokio::test(start_paused = true)]
async fn a_401_costs_one_fetch_and_one_retry() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = retrying(&source, &api);
    assert_eq!(status(&service, get("/")).await, 200);

    revoked.up_to(1);
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(api.tokens(), ["token-1", "token-1", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
    let counters = source.status().counters;
    assert_eq!((counters.rejections, counters.retries), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_401s_makes_one_fetch() {
    let (endpoint, revoked) = (Endpoint::new().latency(millis(50)), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    source.ready().await.unwrap();
    revoked.up_to(1);
    let layer = OAuthLayer::new(source.clone()).retry_rejected();
    let service = layer.layer(delayed(api.service(), millis(10)));

    let responses = join_all((0..100).map(|_| service.clone().oneshot(get("/")))).await;
    assert!(
        responses
            .iter()
            .all(|it| it.as_ref().unwrap().status() == 200)
    );
    assert_eq!(api.calls(), 200);
    assert_eq!(source.status().counters.rejections, 100);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_401_for_an_old_token_is_retried_without_a_fetch() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    source.ready().await.unwrap();
    let (inner, mut peer) = mock::pair();
    let mut service = OAuthLayer::new(source.clone())
        .retry_rejected()
        .layer(inner);
    let late = tokio::spawn(service.ready().await.unwrap().call(get("/late")));
    let (_, answer_late) = in_time(peer.next_request()).await.unwrap();

    source.invalidate(source.token().await.unwrap().generation());
    assert_eq!(source.token().await.unwrap().expose_token(), "token-2");
    answer_late.send_response(rejection());

    let (retried, answer) = in_time(peer.next_request()).await.unwrap();
    assert_eq!(bearer(&retried), "token-2");
    answer.send_response(Response::new(String::new()));
    assert_eq!(in_time(late).await.unwrap().unwrap().status(), 200);
    assert_eq!(source.status().state, SourceState::Fresh);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn invalidating_an_old_generation_touches_nothing() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let old = source.token().await.unwrap().generation();
    source.invalidate(old);
    source.ready().await.unwrap();
    for _ in 0..10 {
        source.invalidate(old);
    }
    assert_eq!(source.token().await.unwrap().expose_token(), "token-2");
    sleep(secs(60)).await;
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_second_401_goes_to_the_caller() {
    let endpoint = Endpoint::new();
    let (source, api) = (endpoint.source(), Api::new(|_| StatusCode::UNAUTHORIZED));
    let response = send(&retrying(&source, &api), get("/")).await;
    assert_eq!(response.status(), 401);
    assert_eq!(generation(&response), Some(2));
    assert_eq!(api.tokens(), ["token-1", "token-2"]);
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_the_fetch_and_none_carries_the_rejected_token() {
    let (endpoint, revoked) = (Endpoint::new().latency(millis(50)), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    revoked.up_to(1);

    let first = tokio::spawn(service.clone().oneshot(get("/")));
    sleep(millis(1)).await;
    assert_eq!(source.status().state, SourceState::Suspended);
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(api.tokens(), ["token-1", "token-2", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_401_during_a_refresh_joins_it() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    let endpoint = endpoint.latency(millis(50));
    advance(secs(3000)).await;
    source.token().await.unwrap(); // stale: starts the refresh

    revoked.up_to(1);
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(api.tokens(), ["token-1", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
    assert_eq!(source.status().counters.refreshes_ahead, 1);
}

#[tokio::test(start_paused = true)]
async fn with_a_dead_endpoint_the_caller_gets_the_rejected_response_itself() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    source.ready().await.unwrap();
    endpoint.then_fail(FetchError::unclear("down"));
    revoked.up_to(1);

    let request = crate::support::request("POST", "/", "what the API said");
    let response = send(&retrying(&source, &api), request).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.body(), "what the API said");
    assert_eq!(generation(&response), Some(1));
    assert_eq!((api.calls(), endpoint.attempts()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_endpoint_keeps_a_rejected_request_no_longer_than_the_fetch() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    source.ready().await.unwrap();
    sleep(secs(1)).await; // the distance between two fetches
    revoked.up_to(1);
    for _ in 0..3 {
        endpoint.then(crate::support::Answer::Hang);
    }
    let started = Instant::now();
    assert_eq!(status(&retrying(&source, &api), get("/")).await, 401);
    assert!(started.elapsed() <= secs(20) + millis(1));
}

#[tokio::test(start_paused = true)]
async fn one_routes_401_with_a_dead_endpoint_leaves_the_other_routes_alone() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let api = Api::new(|request| match request.uri().path() {
        "/odd" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::OK,
    });
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    sleep(secs(1)).await;
    for _ in 0..100 {
        endpoint.then_fail(FetchError::unclear("down"));
    }

    let started = Instant::now();
    for _ in 0..600 {
        assert_eq!(status(&service, get("/odd")).await, 401);
        assert_eq!(status(&service, get("/")).await, 200);
        sleep(millis(100)).await;
    }
    // No request waited for anything but the attempts, which fail at once.
    assert!(started.elapsed() < secs(61), "{:?}", started.elapsed());
    assert!(api.tokens().iter().all(|token| token == "token-1"));
    // The back-off: 5 s, 10 s, 20 s, 40 s, each a quarter more or less.
    assert!(
        (4..=6).contains(&endpoint.attempts()),
        "{}",
        endpoint.attempts()
    );
}

#[tokio::test(start_paused = true)]
async fn a_restored_token_is_replaced_behind_the_requests() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    endpoint.then_fail(FetchError::unclear("down"));
    revoked.up_to(1);
    assert_eq!(status(&service, get("/")).await, 401);

    revoked.up_to(0); // the API takes the token after all
    let endpoint = endpoint.latency(millis(50));
    sleep(secs(7)).await; // the back-off is 5 s, a quarter more at most
    let started = Instant::now();
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(started.elapsed(), secs(0));
    sleep(millis(60)).await;
    assert_eq!(source.token().await.unwrap().expose_token(), "token-2");
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_does_not_take_the_fetch_with_it() {
    let (endpoint, revoked) = (Endpoint::new().latency(millis(50)), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    revoked.up_to(1);
    let impatient = service.clone().oneshot(get("/"));
    assert!(tokio::time::timeout(millis(5), impatient).await.is_err());
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(api.tokens(), ["token-1", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_a_401_is_handed_on() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    source.ready().await.unwrap();
    source.shutdown();
    revoked.up_to(1);
    assert_eq!(status(&retrying(&source, &api), get("/")).await, 401);
    assert_eq!((api.calls(), endpoint.attempts()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_error_inside_a_200_can_be_reported_by_its_generation() {
    let (endpoint, api) = (Endpoint::new(), Api::ok());
    let source = endpoint.source();
    let service = OAuthLayer::new(source.clone()).expose_generation();
    let service = service.layer(api.service());
    for number in 1..=2 {
        let response = service.clone().oneshot(get("/")).await.unwrap();
        assert_eq!(generation(&response), Some(number));
        let sent_with = *response.extensions().get().unwrap();
        source.invalidate(sent_with);
    }
    source.ready().await.unwrap();
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_being_asked_only_rejected_responses_carry_their_generation() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = plain(&source, &api);
    assert_eq!(generation(&send(&service, get("/")).await), None);
    revoked.up_to(1);
    assert_eq!(generation(&send(&service, get("/")).await), Some(1));
}

fn rejection() -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_wait_is_over_goes_with_the_rejected_token_that_is_there() {
    let endpoint = Endpoint::new().latency(secs(15));
    let builder = endpoint.builder().policy(|policy| {
        policy.timeouts.attempt = secs(18);
        policy.rejection.suspended_wait = policy.timeouts.acquire;
    });
    let (source, api) = (builder.build().unwrap(), Api::ok());
    source.ready().await.unwrap();
    source.invalidate(source.token().await.unwrap().generation());
    let asked = Instant::now();
    let mut waiting = Box::pin(send_plain(&source, &api));
    assert!((&mut waiting).now_or_never().is_none());

    // The next token is there after 15 s, and rejected too before the request that waits has a look.
    sleep(secs(16)).await;
    source.invalidate(source.token().await.unwrap().generation());
    assert!((&mut waiting).now_or_never().is_none());
    assert_eq!(waiting.await, 200);
    assert_eq!(asked.elapsed(), secs(25), "its acquire_timeout");
    assert_eq!(api.tokens(), ["token-2"]);
}

async fn send_plain(source: &TokenSource, api: &Api) -> u16 {
    status(&plain(source, api), get("/")).await
}

/// A source whose token is 1 s old, an endpoint that hangs from then on, and an API that has one bad route.
async fn one_bad_route(endpoint: &Endpoint, builder: TokenSourceBuilder) -> (TokenSource, Api) {
    let source = builder.build().unwrap();
    source.ready().await.unwrap();
    sleep(secs(1)).await; // the distance between two fetches
    for _ in 0..100 {
        endpoint.then(crate::support::Answer::Hang);
    }
    let api = Api::new(|request| match request.uri().path() {
        "/odd" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::OK,
    });
    (source, api)
}

/// How long a good route takes, in milliseconds of the paused clock.
async fn took(service: &ApiService) -> u128 {
    let asked = Instant::now();
    assert_eq!(status(service, get("/")).await, 200);
    asked.elapsed().as_millis()
}

#[tokio::test(start_paused = true)]
async fn one_routes_401_with_a_hanging_endpoint_holds_the_others_up_once() {
    let endpoint = Endpoint::new();
    let (source, api) = one_bad_route(&endpoint, endpoint.builder()).await;
    let service = retrying(&source, &api);
    let odd = |after: u64| {
        let service = service.clone();
        tokio::spawn(async move {
            sleep(millis(after)).await;
            let asked = Instant::now();
            (status(&service, get("/odd")).await, asked.elapsed())
        })
    };
    let first = odd(0);
    tokio::task::yield_now().await;
    let waits = [0, 0, 500, 1999, 2000, 2001].map(|after| {
        let service = service.clone();
        tokio::spawn(async move {
            sleep(millis(after)).await;
            took(&service).await
        })
    });
    let waits = join_all(waits).await.into_iter().map(Result::unwrap);
    assert_eq!(waits.collect::<Vec<_>>(), [2000, 2000, 1500, 1, 0, 0]);
    assert_eq!(source.status().state, SourceState::Stale);
    assert!(source.status().fetching);

    // While the fetch hangs on, further rejections suspend the token no more, nor when it has failed.
    for _ in 0..600 {
        odd(0);
        tokio::task::yield_now().await;
        assert_eq!(took(&service).await, 0);
        sleep(millis(100)).await;
    }
    // The rejected request waits for its retry as long as ever.
    let (status, waited) = first.await.unwrap();
    assert_eq!((status, waited.as_secs()), (401, 20));
    assert!(api.tokens().iter().all(|token| token == "token-1"));
}

#[tokio::test(start_paused = true)]
async fn a_late_replacement_is_used_once_it_is_there() {
    let endpoint = Endpoint::new();
    let (source, revoked) = (endpoint.source(), Revoked::default());
    let service = retrying(&source, &revoked.api(StatusCode::UNAUTHORIZED));
    source.ready().await.unwrap();
    let endpoint = endpoint.latency(secs(5));
    revoked.up_to(1);
    sleep(secs(1)).await;
    let rejected = tokio::spawn(service.clone().oneshot(get("/")));
    tokio::task::yield_now().await;
    let asked = Instant::now();
    // It goes with the restored token, is rejected, and joins the fetch.
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(asked.elapsed(), secs(5));
    assert_eq!(rejected.await.unwrap().unwrap().status(), 200);
    assert_eq!(crate::support::text(&source).await, "token-2");
    assert_eq!(source.status().state, SourceState::Fresh);
    assert_eq!(endpoint.attempts(), 2);
    assert_eq!(source.status().counters.rejections, 2);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_suspended_tokens_replacement_can_be_set() {
    for wait in [0, 1, 700, 10_000] {
        let endpoint = Endpoint::new();
        let builder = endpoint
            .builder()
            .policy(|policy| policy.rejection.suspended_wait = millis(wait));
        let (source, api) = one_bad_route(&endpoint, builder).await;
        source.invalidate(source.token().await.unwrap().generation());
        assert_eq!(took(&plain(&source, &api)).await, u128::from(wait));
        assert_eq!(took(&plain(&source, &api)).await, 0);
    }
    let too_long = Endpoint::new()
        .builder()
        .policy(|policy| policy.rejection.suspended_wait = secs(26));
    assert_eq!(
        too_long.build().unwrap_err().field(),
        "rejection.suspended_wait"
    );
    // Who shortens the whole wait need not name a part of it.
    let short = Endpoint::new().builder().policy(|policy| {
        policy.timeouts.attempt = millis(100);
        policy.timeouts.fetch = millis(200);
        policy.retry.max_retry_after_in_fetch = millis(100);
        policy.timeouts.acquire = millis(1500);
    });
    assert!(short.build().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_suspended_token_that_expires_meanwhile_is_not_restored() {
    let endpoint = Endpoint::new().lifetime(secs(20));
    let (source, api) = one_bad_route(&endpoint, endpoint.builder()).await;
    sleep(secs(17)).await; // its last second: it is used for 19 s
    source.invalidate(source.token().await.unwrap().generation());
    let asked = Instant::now();
    let error = layered::reject(&plain(&source, &api), get("/")).await;
    assert!(error.is_timeout(), "{error}");
    assert!(asked.elapsed() > secs(2), "{:?}", asked.elapsed());
    assert_eq!(api.calls(), 0);
}
