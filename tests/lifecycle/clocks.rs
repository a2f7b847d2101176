//! The limits of a token's life, on the monotonic and on the wall clock.

use std::time::Duration;

use crate::support::{Endpoint, at_once, fetch_ended, secs, served, text};
use tower_oauth::{SourceState, TokenSource};

const NANOSECOND: Duration = Duration::from_nanos(1);

/// When a token of 1000 s is due for refresh and when it is no longer used, without jitter.
const REFRESH_AFTER: Duration = secs(800);
const USE_FOR: Duration = secs(990);

/// A source that holds a token of 1000 s, and the moment from which its life counts.
async fn holding() -> (Endpoint, TokenSource, Duration) {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    let source = endpoint
        .builder()
        .policy(|policy| policy.refresh.jitter = 0.0);
    let source = source.build().unwrap();
    source.ready().await.unwrap();
    let start = endpoint.arrivals()[0];
    (endpoint, source, start)
}

/// Steps the wall clock alone, to exactly that long after the token's life began.
fn step_wall_to(endpoint: &Endpoint, start: Duration, after: Duration) {
    let ran = endpoint.elapsed() - start;
    endpoint.clock.step_wall_forward(after - ran);
}

#[tokio::test(start_paused = true)]
async fn refresh_is_due_at_refresh_at_to_the_nanosecond() {
    let (endpoint, source, start) = holding().await;
    endpoint
        .advance_to(start + REFRESH_AFTER - NANOSECOND)
        .await;
    assert_eq!(source.status().state, SourceState::Fresh);
    assert_eq!(served(&source), "token-1");
    assert!(!source.status().fetching);

    endpoint.advance_to(start + REFRESH_AFTER).await;
    assert_eq!(source.status().state, SourceState::Stale);
    assert_eq!(served(&source), "token-1");
    assert!(source.status().fetching);
    fetch_ended(&source).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn refresh_is_due_by_the_wall_clock_to_the_nanosecond() {
    let (endpoint, source, start) = holding().await;
    step_wall_to(&endpoint, start, REFRESH_AFTER - NANOSECOND);
    assert_eq!(served(&source), "token-1");
    assert!(!source.status().fetching);

    endpoint.clock.step_wall_forward(NANOSECOND);
    assert_eq!(served(&source), "token-1");
    assert!(source.status().fetching);
    fetch_ended(&source).await;
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_until_use_until_to_the_nanosecond() {
    let (endpoint, source, start) = holding().await;
    endpoint.advance_to(start + USE_FOR - NANOSECOND).await;
    assert_eq!(served(&source), "token-1");

    let (endpoint, source, start) = holding().await;
    endpoint.advance_to(start + USE_FOR).await;
    assert_eq!(source.status().state, SourceState::Expired);
    assert!(at_once(&source).is_none());
    assert_eq!(text(&source).await, "token-2");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_until_use_until_by_the_wall_clock_to_the_nanosecond() {
    let (endpoint, source, start) = holding().await;
    step_wall_to(&endpoint, start, USE_FOR - NANOSECOND);
    assert_eq!(served(&source), "token-1");

    let (endpoint, source, start) = holding().await;
    step_wall_to(&endpoint, start, USE_FOR);
    assert!(at_once(&source).is_none());
    assert_eq!(text(&source).await, "token-2");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_suspend_retires_the_token_though_the_monotonic_clock_stood_still() {
    let (endpoint, source, _) = holding().await;
    endpoint.clock.step_wall_forward(secs(8 * 3600));
    assert!(at_once(&source).is_none());
    assert_eq!(text(&source).await, "token-2");
    tokio::time::advance(secs(700)).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_steps_back_lengthens_no_life() {
    let (endpoint, source, start) = holding().await;
    endpoint.clock.step_wall_back(secs(5000));
    endpoint
        .advance_to(start + REFRESH_AFTER - NANOSECOND)
        .await;
    assert_eq!(served(&source), "token-1");
    assert_eq!(endpoint.attempts(), 1);

    endpoint.advance_to(start + USE_FOR).await;
    assert_eq!(text(&source).await, "token-2");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_steps_to_and_fro_costs_one_fetch() {
    let (endpoint, source, _) = holding().await;
    endpoint.clock.step_wall_forward(secs(5000));
    assert_eq!(text(&source).await, "token-2");
    endpoint.clock.step_wall_back(secs(5000));
    tokio::time::advance(secs(700)).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_steps_does_not_cut_a_back_off_short() {
    let endpoint = Endpoint::new();
    endpoint.then_fail("no");
    let source = endpoint.source();
    assert!(source.token().await.is_err());
    endpoint.clock.step_wall_forward(secs(3600));
    assert!(at_once(&source).unwrap().is_err());
    assert_eq!(endpoint.attempts(), 1);
}
