//! At most one fetch at a time, whichever callers ask or are dropped.

use std::pin::pin;

use crate::support::{Endpoint, ask_steadily, at_once, fetch_ended, millis, secs, served, text};
use futures_util::{FutureExt, future::join_all};
use tower_oauth::{FetchError, TokenSource};

/// Whatever ends a fetch early or late, there is never a second one beside it.
fn assert_one_at_a_time(endpoint: &Endpoint, fetches: usize) {
    assert_eq!(endpoint.attempts(), fetches);
    assert_eq!(endpoint.most_under_way(), 1);
}

/// The current token's mark, to invalidate it by.
async fn invalidate(source: &TokenSource) {
    let generation = source.token().await.unwrap().generation();
    source.invalidate(generation);
}

#[tokio::test(start_paused = true)]
async fn many_callers_of_a_cold_source_make_one_fetch() {
    let endpoint = Endpoint::new().latency(millis(50));
    let source = endpoint.source();
    let tokens = join_all((0..10_000).map(|_| text(&source))).await;
    assert!(tokens.iter().all(|token| token == "token-1"));
    assert_one_at_a_time(&endpoint, 1);
}

#[tokio::test(start_paused = true)]
async fn clones_on_many_tasks_make_one_fetch() {
    let endpoint = Endpoint::new().latency(millis(50));
    let source = endpoint.source();
    let callers = (0..100).map(|_| {
        let source = source.clone();
        tokio::spawn(async move { text(&source).await })
    });
    let tokens = join_all(callers).await;
    assert!(
        tokens
            .iter()
            .all(|token| token.as_ref().unwrap() == "token-1")
    );
    assert_one_at_a_time(&endpoint, 1);
}

#[tokio::test(start_paused = true)]
async fn many_callers_of_a_failing_endpoint_share_one_error_after_one_latency() {
    let endpoint = Endpoint::new().latency(millis(50));
    endpoint.then_fail(FetchError::unclear("no"));
    let source = endpoint.source();
    let results = join_all((0..100).map(|_| source.token())).await;
    let errors: Vec<_> = results
        .into_iter()
        .map(|it| it.unwrap_err().to_string())
        .collect();
    assert!(errors.iter().all(|error| *error == errors[0]));
    assert!(endpoint.elapsed() < millis(60));
    assert_one_at_a_time(&endpoint, 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_caller_dropped_leaves_the_fetch_to_the_others() {
    let endpoint = Endpoint::new().latency(millis(50));
    let source = endpoint.source();
    let first = tokio::time::timeout(millis(20), source.token());
    let others = join_all((0..10).map(|_| text(&source)));
    let (first, others) = tokio::join!(first, others);
    assert!(first.is_err());
    assert!(others.iter().all(|token| token == "token-1"));
    assert!(endpoint.elapsed() < millis(60));
    assert_one_at_a_time(&endpoint, 1);
}

#[tokio::test(start_paused = true)]
async fn all_callers_dropped_and_the_fetch_survives() {
    let endpoint = Endpoint::new().latency(millis(50));
    let source = endpoint.source();
    assert!(at_once(&source).is_none());
    fetch_ended(&source).await;
    assert_eq!(served(&source), "token-1");
    assert_one_at_a_time(&endpoint, 1);
}

#[tokio::test(start_paused = true)]
async fn callers_more_impatient_than_the_endpoint_is_slow_still_converge() {
    let endpoint = Endpoint::new().latency(millis(50));
    let source = endpoint.source();
    let mut impatient = 0;
    while tokio::time::timeout(millis(20), source.token())
        .await
        .is_err()
    {
        impatient += 1;
    }
    assert_eq!(impatient, 2);
    assert_eq!(served(&source), "token-1");
    assert_one_at_a_time(&endpoint, 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_there_for_the_next_caller_when_all_who_waited_are_gone() {
    let endpoint = Endpoint::new().latency(millis(50));
    endpoint.then_fail(FetchError::unclear("no"));
    let source = endpoint.source();
    assert!(at_once(&source).is_none());
    fetch_ended(&source).await;
    assert!(at_once(&source).unwrap().is_err());
    assert_one_at_a_time(&endpoint, 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_waiter_keeps_the_error_of_its_own_fetch() {
    let endpoint = Endpoint::new();
    endpoint
        .then_fail(FetchError::unclear("first"))
        .then_fail(FetchError::permanent("second"));
    let source = endpoint.source();
    let mut slow = pin!(source.token());
    assert!(slow.as_mut().now_or_never().is_none());
    fetch_ended(&source).await;
    source.retry_now();
    let second = source.token().await.unwrap_err();
    let first = slow.await.unwrap_err();
    let (first, second) = (first.to_string(), second.to_string());
    assert!(first.contains("first"), "{first}");
    assert!(second.contains("second"), "{second}");
    assert_one_at_a_time(&endpoint, 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_waiter_is_not_failed_while_a_later_fetch_has_brought_a_token() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("first"));
    let source = endpoint.source();
    let mut slow = pin!(text(&source));
    assert!(slow.as_mut().now_or_never().is_none());
    fetch_ended(&source).await;
    source.retry_now();
    source.ready().await.unwrap();
    assert_eq!(slow.await, "token-1");
    assert_one_at_a_time(&endpoint, 2);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_joins_the_fetch_under_way() {
    let endpoint = Endpoint::new().lifetime(secs(1000)).latency(secs(1));
    let source = endpoint.source();
    source.ready().await.unwrap();
    tokio::time::advance(secs(850)).await;
    assert_eq!(served(&source), "token-1");
    assert!(source.status().fetching);
    for _ in 0..100 {
        invalidate_served(&source);
    }
    assert_eq!(text(&source).await, "token-2");
    assert_one_at_a_time(&endpoint, 2);
}

/// Invalidates the token that the source would still hand out, if it has one.
fn invalidate_served(source: &TokenSource) {
    if let Some(Ok(token)) = source.token().now_or_never() {
        source.invalidate(token.generation());
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_never_gets_a_token_that_was_rejected_meanwhile() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let mut slow = pin!(text(&source));
    assert!(slow.as_mut().now_or_never().is_none());
    fetch_ended(&source).await;
    invalidate(&source).await;
    assert_eq!(slow.await, "token-2");
    assert_one_at_a_time(&endpoint, 2);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_the_rejected_token_after_all_when_its_fetch_fails() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    source.ready().await.unwrap();
    endpoint.then_fail(FetchError::unclear("down"));
    invalidate(&source).await;
    assert!(at_once(&source).is_none());
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(served(&source), "token-1");
    assert_one_at_a_time(&endpoint, 2);
}

#[tokio::test(start_paused = true)]
async fn a_restored_token_is_replaced_behind_the_requests() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    source.ready().await.unwrap();
    endpoint.then_fail(FetchError::unclear("down"));
    invalidate(&source).await;
    fetch_ended(&source).await;
    assert_eq!(ask_steadily(&source, millis(100), secs(7)).await, 0);
    assert_eq!(served(&source), "token-2");
    assert_one_at_a_time(&endpoint, 3);
}

#[tokio::test(start_paused = true)]
async fn a_late_invalidation_of_an_old_token_changes_nothing() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let old = source.token().await.unwrap().generation();
    source.invalidate(old);
    assert_eq!(text(&source).await, "token-2");
    source.invalidate(old);
    assert_eq!(served(&source), "token-2");
    assert_one_at_a_time(&endpoint, 2);
}

#[tokio::test(start_paused = true)]
async fn no_two_fetches_start_within_a_second_whatever_their_causes() {
    let endpoint = Endpoint::new().lifetime(millis(600));
    endpoint.then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    assert!(source.token().await.is_err());
    source.retry_now(); // a back-off cut short
    source.ready().await.unwrap();
    invalidate(&source).await; // a rejection
    source.ready().await.unwrap();
    tokio::time::advance(millis(500)).await;
    assert_eq!(served(&source), "token-2"); // a refresh
    fetch_ended(&source).await;
    tokio::time::advance(millis(600)).await;
    source.ready().await.unwrap(); // an expiry

    let starts = endpoint.arrivals();
    assert_eq!(starts.len(), 5);
    let apart = starts.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(apart.min().unwrap() >= secs(1), "{starts:?}");
}
