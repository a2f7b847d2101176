//! What requests see of a token that is fresh, stale, expired or missing.

use crate::support::{
    Answer, Endpoint, ask_steadily, at_once, fetch_ended, millis, secs, served, text,
};
use futures_util::future::join_all;
use tower_oauth::{FailureClass, FetchCause, FetchError, Margin, SourceState, TokenSource};

/// A source with a token of 1000 s that has become due for refresh, at 800 s of its life.
async fn stale(endpoint: &Endpoint) -> TokenSource {
    let source = endpoint
        .builder()
        .policy(|policy| policy.refresh.jitter = 0.0);
    let source = source.build().unwrap();
    source.ready().await.unwrap();
    endpoint
        .advance_to(endpoint.arrivals()[0] + secs(800))
        .await;
    source
}

fn endpoint() -> Endpoint {
    Endpoint::new().lifetime(secs(1000))
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_is_served_without_a_fetch() {
    let endpoint = endpoint();
    let source = endpoint.source();
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(ask_steadily(&source, millis(500), secs(690)).await, 0);
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_token_is_used_while_one_fetch_replaces_it() {
    let endpoint = endpoint().latency(secs(3));
    let source = stale(&endpoint).await;
    for _ in 0..100 {
        assert_eq!(served(&source), "token-1");
    }
    tokio::time::sleep(secs(2)).await;
    assert_eq!(served(&source), "token-1");
    fetch_ended(&source).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!(endpoint.attempts(), 2);
    assert_eq!(endpoint.causes(), [FetchCause::Missing, FetchCause::Ahead]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_slower_than_the_rest_of_the_life_is_waited_for_from_use_until_on() {
    let endpoint = endpoint();
    let source = stale(&endpoint).await;
    let endpoint = endpoint.latency(secs(6));
    endpoint
        .advance_to(endpoint.arrivals()[0] + secs(985))
        .await;
    assert_eq!(ask_steadily(&source, millis(100), millis(4900)).await, 0);

    endpoint
        .advance_to(endpoint.arrivals()[0] + secs(990))
        .await;
    assert!(at_once(&source).is_none());
    let tokens = join_all((0..50).map(|_| text(&source))).await;
    assert!(tokens.iter().all(|token| token == "token-2"));
    assert!(endpoint.elapsed() < endpoint.arrivals()[0] + millis(991_100));
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failing_refresh_costs_requests_nothing_and_recovers() {
    let endpoint = endpoint();
    let source = stale(&endpoint).await;
    for _ in 0..5 {
        endpoint.then_fail(FetchError::unclear("down"));
    }
    // Waits of 5, 10, 20, 40 and 60 s, each within a quarter.
    assert_eq!(ask_steadily(&source, millis(100), secs(100)).await, 0);
    assert_eq!(served(&source), "token-1");
    assert!(
        (4..=6).contains(&endpoint.attempts()),
        "{}",
        endpoint.attempts()
    );

    assert_eq!(ask_steadily(&source, millis(100), secs(85)).await, 0);
    assert_eq!(served(&source), "token-2");
    assert_eq!(endpoint.attempts(), 7);
    assert_eq!(source.status().state, SourceState::Fresh);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_rejection_does_not_throw_away_a_token_that_works() {
    let endpoint = endpoint();
    let source = stale(&endpoint).await;
    endpoint.then_fail(FetchError::permanent("invalid_client"));
    assert_eq!(served(&source), "token-1");
    fetch_ended(&source).await;
    assert!(source.status().error.is_some());
    assert_eq!(served(&source), "token-1");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_refresh_costs_requests_nothing() {
    let endpoint = endpoint();
    let source = stale(&endpoint).await;
    for _ in 0..3 {
        endpoint.then(Answer::Hang);
    }
    assert_eq!(ask_steadily(&source, millis(100), secs(30)).await, 0);
    assert_eq!(served(&source), "token-2");
    assert_eq!(endpoint.attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_and_a_failing_fetch_are_an_error_until_the_back_off_has_passed() {
    let endpoint = endpoint();
    let source = stale(&endpoint).await;
    endpoint
        .advance_to(endpoint.arrivals()[0] + secs(990))
        .await;
    endpoint.then_fail(FetchError::unclear("down"));
    let error = source.token().await.unwrap_err();
    assert_eq!(error.class(), Some(FailureClass::Unclear));
    assert!(at_once(&source).unwrap().is_err());

    tokio::time::advance(millis(6250)).await;
    assert_eq!(text(&source).await, "token-2");
    assert_eq!(endpoint.attempts(), 3);
    let causes = [
        FetchCause::Missing,
        FetchCause::Expired,
        FetchCause::Expired,
    ];
    assert_eq!(endpoint.causes(), causes);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_the_first_permanent_error_surfaces_as_itself() {
    let endpoint = endpoint();
    endpoint.then_fail(FetchError::permanent("invalid_client"));
    let source = endpoint.source();
    let error = source.token().await.unwrap_err();
    assert_eq!(error.class(), Some(FailureClass::Permanent));
    let cause = std::error::Error::source(error.fetch_error().unwrap()).unwrap();
    assert_eq!(cause.to_string(), "invalid_client");
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_margin_of_ones_own_moves_the_refresh() {
    for (margin, due) in [
        (Margin::Fixed(secs(300)), 700),
        (Margin::Fraction(0.1), 900),
    ] {
        let endpoint = endpoint();
        let source = endpoint.builder().policy(|policy| {
            policy.refresh.jitter = 0.0;
            policy.refresh.margin = margin;
        });
        let source = source.build().unwrap();
        source.ready().await.unwrap();
        endpoint
            .advance_to(endpoint.arrivals()[0] + secs(due) - millis(1))
            .await;
        assert_eq!(source.status().state, SourceState::Fresh);
        tokio::time::advance(millis(1)).await;
        assert_eq!(source.status().state, SourceState::Stale);
    }
}

#[tokio::test(start_paused = true)]
async fn replicas_started_together_do_not_refresh_together() {
    let mut due = Vec::new();
    for seed in 0..20 {
        let endpoint = endpoint();
        let source = endpoint.builder().seed(seed).build().unwrap();
        source.ready().await.unwrap();
        ask_steadily(&source, millis(100), secs(801)).await;
        due.push(endpoint.arrivals()[1] - endpoint.arrivals()[0]);
    }
    assert!(due.iter().all(|due| (secs(700)..=secs(801)).contains(due)));
    due.sort();
    due.dedup_by_key(|due| due.as_secs());
    assert!(due.len() > 15, "{due:?}");
}
