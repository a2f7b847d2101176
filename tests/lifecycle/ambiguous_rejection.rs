//! ANBIMA's 403: the token was revoked, or the plan does not cover the resource. The answer does not say which.

use std::time::Duration;

use crate::support::{
    Answer, Api, ApiService, Endpoint, generation, get,
    layered::{Revoked, anbimas_rule, delayed, retrying, send, status},
    millis, request, secs,
};
use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, ServiceExt};
use tower_oauth::{FetchError, OAuthLayer, SourceState, Token, TokenSource};

const DAY: Duration = secs(24 * 3600);

/// A source whose API means two things by 403.
fn source(endpoint: &Endpoint) -> TokenSource {
    endpoint
        .builder()
        .rejection(anbimas_rule())
        .build()
        .unwrap()
}

/// An API whose `/plan` is not in the contracted plan.
fn planned(revoked: &Revoked) -> Api {
    let revoked = revoked.clone();
    Api::new(move |request| match request.uri().path() {
        "/plan" => StatusCode::FORBIDDEN,
        _ if revoked.includes(request) => StatusCode::FORBIDDEN,
        _ => StatusCode::OK,
    })
}

/// Sends a request every so often for a while.
async fn poll(service: &ApiService, path: &str, every: Duration, length: Duration) {
    let end = Instant::now() + length;
    while Instant::now() < end {
        send(service, get(path)).await;
        sleep(every).await;
    }
}

/// The whole seconds between one fetch and the next.
fn seconds_between_fetches(endpoint: &Endpoint) -> Vec<u64> {
    let arrivals = endpoint.arrivals();
    arrivals
        .windows(2)
        .map(|it| (it[1] - it[0]).as_secs())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_replaced_and_harmless_requests_are_retried() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
        let (source, api) = (source(&endpoint), planned(&revoked));
        source.ready().await.unwrap();
        revoked.up_to(1);
        let response = send(&retrying(&source, &api), request(method, "/", "")).await;
        assert_eq!(response.status(), 200, "{method}");
        assert_eq!(api.tokens(), ["token-1", "token-2"], "{method}");
        assert_eq!(endpoint.attempts(), 2, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_requests_are_handed_on_and_the_next_has_the_new_token() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "QUERY"] {
        let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
        let (source, api) = (source(&endpoint), planned(&revoked));
        let service = retrying(&source, &api);
        source.ready().await.unwrap();
        revoked.up_to(1);
        let response = send(&service, request(method, "/", "pay")).await;
        assert_eq!(response.status(), 403, "{method}");
        assert_eq!(generation(&response), Some(1));
        sleep(secs(2)).await;
        assert_eq!(
            status(&service, request(method, "/", "pay")).await,
            200,
            "{method}"
        );
        assert_eq!(api.tokens(), ["token-1", "token-2"], "{method}");
        assert_eq!(endpoint.attempts(), 2, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn danger_retry_any_method_retries_a_post_once() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (source(&endpoint), planned(&revoked));
    source.ready().await.unwrap();
    revoked.up_to(1);
    let layer = OAuthLayer::new(source)
        .retry_rejected()
        .danger_retry_any_method();
    let service = layer.layer(api.service());
    let response = service.oneshot(request("POST", "/", "pay")).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.body().as_str()),
        (200, "pay")
    );
    assert_eq!(api.tokens(), ["token-1", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_token_stays_in_use_while_another_is_fetched() {
    let endpoint = Endpoint::new().latency(millis(50));
    let (source, api) = (source(&endpoint), planned(&Revoked::default()));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    sleep(secs(1)).await;

    let rejected = tokio::spawn(service.clone().oneshot(get("/plan")));
    sleep(millis(1)).await;
    assert!(source.status().fetching);
    assert_eq!(source.status().state, SourceState::Fresh);
    let started = Instant::now();
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(started.elapsed(), secs(0));
    assert_eq!(rejected.await.unwrap().unwrap().status(), 403);
    assert_eq!(api.tokens(), ["token-1", "token-1", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_403s_makes_one_fetch() {
    let (endpoint, revoked) = (Endpoint::new().latency(millis(50)), Revoked::default());
    let (source, api) = (source(&endpoint), planned(&revoked));
    source.ready().await.unwrap();
    revoked.up_to(1);
    let slow = delayed(api.service(), millis(10));
    let service = OAuthLayer::new(source).retry_rejected().layer(slow);
    let responses = join_all((0..100).map(|_| service.clone().oneshot(get("/")))).await;
    assert!(
        responses
            .iter()
            .all(|it| it.as_ref().unwrap().status() == 200)
    );
    assert_eq!((api.calls(), endpoint.attempts()), (200, 2));
}

#[tokio::test(start_paused = true)]
async fn a_late_403_for_an_old_token_is_retried_without_a_fetch() {
    let endpoint = Endpoint::new();
    let (source, api) = (source(&endpoint), Revoked::default());
    source.ready().await.unwrap();
    api.up_to(1);
    let slow = delayed(planned(&api).service(), secs(5));
    let late = tokio::spawn(
        OAuthLayer::new(source.clone())
            .retry_rejected()
            .layer(slow)
            .oneshot(get("/")),
    );
    sleep(secs(1)).await;
    source.invalidate(source.token().await.unwrap().generation());
    assert_eq!(source.token().await.unwrap().expose_token(), "token-2");
    assert_eq!(late.await.unwrap().unwrap().status(), 200);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn plan_403s_among_good_traffic_cost_one_fetch_in_all() {
    for (good_every, rejected_every) in [(1, 1), (1, 47), (7, 11), (29, 1)] {
        let endpoint = Endpoint::new().lifetime(DAY);
        mix(&endpoint, secs(good_every), secs(rejected_every)).await;
        assert_eq!(endpoint.attempts(), 2, "{good_every} s, {rejected_every} s");
    }
}

#[tokio::test(start_paused = true)]
async fn one_good_answer_ends_the_tries_of_plan_403s_among_rare_good_traffic() {
    // Until the first good answer after the rejection, nothing speaks against a revocation.
    for (good_every, tries) in [(80, &[1, 30][..]), (100, &[1, 30, 60])] {
        let endpoint = Endpoint::new().lifetime(DAY);
        mix(&endpoint, secs(good_every), secs(1)).await;
        assert_eq!(seconds_between_fetches(&endpoint), tries, "{good_every} s");
    }
}

/// An hour of good requests and of requests that the plan does not cover.
async fn mix(endpoint: &Endpoint, good_every: Duration, rejected_every: Duration) {
    let (source, api) = (source(endpoint), planned(&Revoked::default()));
    let service = retrying(&source, &api);
    tokio::join!(
        poll(&service, "/", good_every, secs(3600)),
        poll(&service, "/plan", rejected_every, secs(3600)),
    );
}

#[tokio::test(start_paused = true)]
async fn plan_403s_do_not_cost_a_fetch_for_each_lifetime() {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    let (source, api) = (source(&endpoint), planned(&Revoked::default()));
    let service = retrying(&source, &api);
    tokio::join!(
        poll(&service, "/", secs(5), secs(10_000)),
        poll(&service, "/plan", secs(3), secs(10_000)),
    );
    let counters = source.status().counters;
    assert_eq!(counters.fetches, 2 + counters.refreshes_ahead);
    assert!(
        (12..=15).contains(&counters.refreshes_ahead),
        "{counters:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn with_403s_alone_the_fetches_grow_rare() {
    let endpoint = Endpoint::new().lifetime(DAY);
    let (source, api) = (source(&endpoint), planned(&Revoked::default()));
    poll(&retrying(&source, &api), "/plan", secs(1), secs(600)).await;
    assert_eq!(
        seconds_between_fetches(&endpoint),
        [1, 30, 60, 120, 120, 120, 120]
    );
}

#[tokio::test(start_paused = true)]
async fn a_revocation_while_suspect_is_healed_in_at_most_the_longest_wait() {
    let (endpoint, revoked) = (Endpoint::new().lifetime(DAY), Revoked::default());
    let (source, api) = (source(&endpoint), planned(&revoked));
    let service = retrying(&source, &api);
    tokio::join!(
        poll(&service, "/", secs(1), secs(300)),
        poll(&service, "/plan", secs(1), secs(300)),
    );
    assert_eq!(endpoint.attempts(), 2);

    revoked.up_to(2);
    let started = Instant::now();
    while status(&service, get("/")).await != 200 {
        sleep(secs(1)).await;
    }
    assert!(started.elapsed() <= secs(121), "{:?}", started.elapsed());
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_definite_rejection_while_suspect_is_healed_at_once() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let source = source(&endpoint);
    let plan = planned(&Revoked::default());
    assert_eq!(status(&retrying(&source, &plan), get("/plan")).await, 403);
    assert_eq!(endpoint.attempts(), 2);

    revoked.up_to(2);
    let api = revoked.api(StatusCode::UNAUTHORIZED);
    assert_eq!(status(&retrying(&source, &api), get("/")).await, 200);
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_403_joins_a_refresh_under_way() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (source(&endpoint), planned(&revoked));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    let endpoint = endpoint.latency(millis(50));
    advance(secs(3000)).await;
    source.token().await.unwrap(); // stale: starts the refresh
    revoked.up_to(1);
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn with_a_dead_endpoint_the_403_comes_back_and_the_token_stays() {
    let endpoint = Endpoint::new();
    let (source, api) = (source(&endpoint), planned(&Revoked::default()));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    endpoint.then_fail(FetchError::unclear("down").with_retry_after(secs(60)));
    for _ in 0..20 {
        assert_eq!(status(&service, get("/plan")).await, 403);
        assert_eq!(status(&service, get("/")).await, 200);
        sleep(secs(2)).await;
    }
    assert_eq!(source.status().state, SourceState::Fresh);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_token_after_a_403_makes_no_loop() {
    let endpoint = Endpoint::new();
    let (source, api) = (source(&endpoint), planned(&Revoked::default()));
    for _ in 0..10 {
        endpoint.then(Answer::Token(Token::new("token-1").with_lifetime(DAY)));
    }
    poll(&retrying(&source, &api), "/plan", secs(1), secs(200)).await;
    assert_eq!(seconds_between_fetches(&endpoint), [1, 30, 60]);
    assert_eq!(source.status().counters.retries, 0);
}

/// Has the API reject the current token beyond doubt, and the next one fetched.
async fn replace(source: &TokenSource) {
    let token = source.token().await.unwrap();
    source.invalidate(token.generation());
    source.token().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn definite_rejections_use_up_nothing_of_an_ambiguous_one() {
    let endpoint = Endpoint::new();
    let (source, api) = (source(&endpoint), planned(&Revoked::default()));
    for _ in 0..3 {
        replace(&source).await;
    }
    assert_eq!(endpoint.attempts(), 4);
    assert_eq!(status(&retrying(&source, &api), get("/plan")).await, 403);
    assert_eq!(endpoint.attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_definite_rejection_ends_the_suspicion_of_the_token_before() {
    let endpoint = Endpoint::new();
    let (source, api) = (source(&endpoint), planned(&Revoked::default()));
    let service = retrying(&source, &api);
    for _ in 0..2 {
        assert_eq!(status(&service, get("/plan")).await, 403);
    }
    assert_eq!(endpoint.attempts(), 2, "it is suspect");
    replace(&source).await;
    assert_eq!(status(&service, get("/plan")).await, 403);
    assert_eq!(endpoint.attempts(), 4, "the new one is not");
}
