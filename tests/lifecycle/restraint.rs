//! Rejections never become a stream of fetches: the bucket, the token that comes back unchanged, the back-off.

use crate::support::{
    Answer, Api, Endpoint, get,
    layered::{Revoked, delayed, plain, retrying, send, status},
    millis, secs,
};
use futures_util::future::join_all;
use http::{Response, StatusCode, header::WWW_AUTHENTICATE};
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth::{
    BoxError, FetchError, OAuthLayer, Rejection, RejectionRule, SourceState, Token, TokenSource,
};

/// Says of one new token after the other that it is bad; how many were replaced before one was left in place.
async fn revoke_until_one_stays(source: &TokenSource) -> u64 {
    for replaced in 0..10 {
        let generation = source.token().await.unwrap().generation();
        source.invalidate(generation);
        if source.status().state == SourceState::Fresh {
            return replaced;
        }
    }
    panic!("nothing restrains the fetches")
}

#[tokio::test(start_paused = true)]
async fn the_fourth_definite_rejection_in_a_row_fetches_nothing_until_time_refills() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    source.ready().await.unwrap();
    assert_eq!(revoke_until_one_stays(&source).await, 3);
    assert_eq!(endpoint.attempts(), 4);

    sleep(secs(20)).await;
    source.invalidate(source.token().await.unwrap().generation());
    assert_eq!(source.token().await.unwrap().expose_token(), "token-5");
    assert_eq!(endpoint.attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_rejects_everything_costs_three_fetches_and_one_more_every_twenty_seconds() {
    let (endpoint, api) = (Endpoint::new(), Api::new(|_| StatusCode::UNAUTHORIZED));
    let source = endpoint.source();
    let service = retrying(&source, &api);
    let started = Instant::now();
    while started.elapsed() < secs(600) {
        assert_eq!(status(&service, get("/")).await, 401);
        sleep(millis(250)).await;
    }
    let most = 1 + 3 + 600 / 20;
    assert!(
        (most - 2..=most).contains(&endpoint.attempts()),
        "{}",
        endpoint.attempts()
    );
}

#[tokio::test(start_paused = true)]
async fn two_revocations_a_few_seconds_apart_are_both_healed() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    for number in 1..=2 {
        revoked.up_to(number);
        assert_eq!(status(&service, get("/")).await, 200);
        sleep(secs(3)).await;
    }
    assert_eq!(api.tokens(), ["token-1", "token-2", "token-2", "token-3"]);
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_empty_bucket_stops_neither_joining_a_fetch_nor_a_retry_with_a_newer_token() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let slow = delayed(api.service(), millis(10));
    let service = OAuthLayer::new(source.clone()).retry_rejected().layer(slow);
    source.ready().await.unwrap();
    // Two draws, so that the burst below takes the last one.
    for number in 1..=2 {
        revoked.up_to(number);
        assert_eq!(
            service.clone().oneshot(get("/")).await.unwrap().status(),
            200
        );
    }

    revoked.up_to(3);
    let burst = join_all((0..50).map(|_| service.clone().oneshot(get("/")))).await;
    assert!(burst.iter().all(|it| it.as_ref().unwrap().status() == 200));
    assert_eq!(endpoint.attempts(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_gives_its_draw_back() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    for failed in 1..=5 {
        let generation = source.token().await.unwrap().generation();
        endpoint.then_fail(FetchError::unclear("down"));
        source.invalidate(generation);
        // The fetch fails, and the token is restored.
        assert_eq!(source.token().await.unwrap().generation(), generation);
        source.retry_now();
        // Its replacement is fetched behind the requests, which draws on nothing.
        source.token().await.unwrap();
        sleep(secs(2)).await;
        assert_eq!(endpoint.attempts(), 1 + 2 * failed);
    }
}

#[tokio::test(start_paused = true)]
async fn during_a_back_off_a_rejection_is_handed_on_and_touches_nothing() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    endpoint.then_fail(FetchError::unclear("down").with_retry_after(secs(60)));
    advance(secs(3000)).await;
    source.token().await.unwrap(); // stale: starts the refresh, which fails
    sleep(secs(1)).await;

    revoked.up_to(1);
    for _ in 0..10 {
        assert_eq!(status(&service, get("/")).await, 401);
        assert_eq!(source.status().state, SourceState::Stale);
        sleep(secs(5)).await;
    }
    assert_eq!(endpoint.attempts(), 2);
    sleep(secs(20)).await;
    // The back-off is over; nothing else of the rejections is left.
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_token_after_a_401_is_handed_on_and_makes_no_loop() {
    let endpoint = Endpoint::new();
    let (source, api) = (endpoint.source(), Api::new(|_| StatusCode::UNAUTHORIZED));
    repeat_one_token(&endpoint, 100);
    let service = retrying(&source, &api);
    let started = Instant::now();
    while started.elapsed() < secs(300) {
        assert_eq!(status(&service, get("/")).await, 401);
        sleep(secs(1)).await;
    }
    assert!(api.tokens().iter().all(|token| token == "same"));
    assert_eq!(source.status().counters.retries, 0);
    // The first token, the fetch because of the 401, and then as for a token in doubt: after 30 s, 60 s, 120 s.
    let waits: Vec<_> = endpoint
        .arrivals()
        .windows(2)
        .map(|it| (it[1] - it[0]).as_secs())
        .collect();
    assert_eq!(waits, [1, 30, 60, 120]);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_token_keeps_its_mark_and_no_request_waits_for_it_again() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    repeat_one_token(&endpoint, 2);
    let generation = source.token().await.unwrap().generation();
    source.invalidate(generation);
    assert_eq!(source.token().await.unwrap().generation(), generation);
    assert_eq!(source.status().state, SourceState::Fresh);

    let started = Instant::now();
    for _ in 0..20 {
        source.invalidate(generation);
        assert_eq!(source.token().await.unwrap().generation(), generation);
    }
    assert_eq!(started.elapsed(), secs(0));
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn insufficient_scope_is_never_a_rejection() {
    let endpoint = Endpoint::new();
    let source = endpoint
        .builder()
        .rejection(crate::support::layered::anbimas_rule())
        .build()
        .unwrap();
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        let challenge = r#"Bearer realm="bank", error="insufficient_scope", scope="pix""#;
        let api = service_fn(move |_: http::Request<String>| async move {
            let response = Response::builder().status(status);
            Ok::<_, BoxError>(
                response
                    .header(WWW_AUTHENTICATE, challenge)
                    .body(String::new())?,
            )
        });
        let service = OAuthLayer::new(source.clone()).retry_rejected().layer(api);
        let response = service.oneshot(get("/")).await.unwrap();
        assert_eq!(response.status(), status);
    }
    assert_eq!(source.status().counters.rejections, 0);
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn by_default_a_403_is_never_a_rejection() {
    let endpoint = Endpoint::new();
    let (source, api) = (endpoint.source(), Api::new(|_| StatusCode::FORBIDDEN));
    let service = retrying(&source, &api);
    for _ in 0..100 {
        assert_eq!(status(&service, get("/")).await, 403);
    }
    assert_eq!((api.calls(), endpoint.attempts()), (100, 1));
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_ones_own_decides() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let rule = RejectionRule::by(|status, _| (status == 418).then_some(Rejection::Definite));
    let source = endpoint.builder().rejection(rule).build().unwrap();
    source.ready().await.unwrap();
    revoked.up_to(1);
    let (odd, usual) = (
        revoked.api(StatusCode::IM_A_TEAPOT),
        Api::new(|_| StatusCode::UNAUTHORIZED),
    );
    assert_eq!(status(&retrying(&source, &usual), get("/")).await, 401);
    assert_eq!(endpoint.attempts(), 1);
    assert_eq!(status(&retrying(&source, &odd), get("/")).await, 200);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_retry_the_next_request_has_a_new_token() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = plain(&source, &api);
    source.ready().await.unwrap();
    revoked.up_to(1);
    assert_eq!(send(&service, get("/")).await.status(), 401);
    assert_eq!(send(&service, get("/")).await.status(), 200);
    assert_eq!(api.tokens(), ["token-1", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
}

fn repeat_one_token(endpoint: &Endpoint, times: usize) {
    for _ in 0..times {
        endpoint.then(Answer::Token(Token::new("same").with_lifetime(secs(3600))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_always_answers_401_does_not_hold_up_the_others() {
    let endpoint = Endpoint::new().latency(secs(3));
    let api = Api::new(|request| match request.uri().path() {
        "/bad" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::OK,
    });
    let source = endpoint.source();
    source.ready().await.unwrap();
    let service = plain(&source, &api);
    let started = Instant::now();
    let mut held_up = Vec::new();
    for turn in 0.. {
        let asked = started.elapsed();
        if asked >= secs(300) {
            break;
        }
        assert_eq!(status(&service, get("/good")).await, 200);
        let waited = started.elapsed() - asked;
        if !waited.is_zero() {
            held_up.push((asked, waited));
        }
        if turn % 4 == 3 {
            assert_eq!(status(&service, get("/bad")).await, 401);
        }
        sleep(millis(250)).await;
    }
    // The first token did not come from a rejection: it is suspended, and that once.
    assert!(held_up.len() <= 1, "{held_up:?}");
    let most = 1 + 3 + 300 / 20;
    assert!(
        (most - 3..=most).contains(&endpoint.attempts()),
        "{}",
        endpoint.attempts()
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_reports_a_token_that_others_were_accepted_with_is_believed() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    let service = retrying(&source, &api);
    source.ready().await.unwrap();
    revoked.up_to(1);
    assert_eq!(status(&service, get("/")).await, 200);
    let second = source.token().await.unwrap();
    assert_eq!(second.expose_token(), "token-2");
    source.invalidate(second.generation());
    assert_eq!(source.status().state, SourceState::Suspended);
    assert_eq!(source.token().await.unwrap().expose_token(), "token-3");
}
