//! Refresh without traffic.

use crate::support::{Endpoint, fetch_ended, millis, secs, served};
use tower_oauth::{FetchCause, FetchError};

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_fresh_without_traffic_and_fetched_once_a_life() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    tokio::spawn(source.keep_fresh());
    tokio::time::sleep(secs(10 * 3600)).await;
    // An hour is refreshed between 70 and 80 % of its life.
    let starts = endpoint.arrivals();
    let apart: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((13..=15).contains(&starts.len()), "{starts:?}");
    assert!(
        apart.iter().all(|it| (secs(2520)..secs(2881)).contains(it)),
        "{apart:?}"
    );
    assert_eq!(served(&source), format!("token-{}", starts.len()));
}

#[tokio::test(start_paused = true)]
async fn refreshes_ahead_are_counted_apart_from_other_fetches() {
    let endpoint = Endpoint::new().lifetime(secs(100));
    let source = endpoint.source();
    tokio::spawn(source.keep_fresh());
    tokio::time::sleep(secs(90)).await;
    assert_eq!(endpoint.causes(), [FetchCause::Missing, FetchCause::Ahead]);
    assert_eq!(source.status().counters.refreshes_ahead, 1);
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_under_the_back_off() {
    let endpoint = Endpoint::new();
    for _ in 0..4 {
        endpoint.then_fail(FetchError::unclear("down"));
    }
    let source = endpoint.source();
    tokio::spawn(source.keep_fresh());
    tokio::time::sleep(secs(100)).await;
    assert_eq!(served(&source), "token-1");
    assert_eq!(endpoint.attempts(), 5);
    let starts = endpoint.arrivals();
    for (pair, least) in starts.windows(2).zip([3750, 7500, 15_000, 30_000]) {
        assert!(pair[1] - pair[0] >= millis(least), "{starts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_now_is_heeded_at_once() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::permanent("invalid_client").with_retry_after(secs(300)));
    let source = endpoint.source();
    tokio::spawn(source.keep_fresh());
    tokio::time::sleep(secs(2)).await;
    assert_eq!(endpoint.attempts(), 1);
    source.retry_now();
    tokio::time::sleep(millis(10)).await;
    assert_eq!(
        (served(&source).as_str(), endpoint.attempts()),
        ("token-1", 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_suspend_is_noticed_within_a_minute() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    tokio::spawn(source.keep_fresh());
    tokio::time::sleep(secs(10)).await;
    endpoint.clock.step_wall_forward(secs(8 * 3600));
    tokio::time::sleep(secs(61)).await;
    assert_eq!(
        (served(&source).as_str(), endpoint.attempts()),
        ("token-2", 2)
    );
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_last_handle_also_during_a_fetch() {
    let endpoint = Endpoint::new().latency(secs(5));
    let source = endpoint.source();
    let task = tokio::spawn(source.keep_fresh());
    tokio::time::sleep(secs(1)).await;
    assert!(source.status().fetching);
    drop(source);
    task.await.unwrap();
    assert!(endpoint.elapsed() < secs(2));
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_a_shutdown() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let task = tokio::spawn(source.keep_fresh());
    source.ready().await.unwrap();
    source.shutdown();
    task.await.unwrap();
    assert!(endpoint.elapsed() < secs(1));
    // One that begins after it ends at once.
    source.keep_fresh().await;
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_of_them_fetch_no_more_than_one() {
    let endpoint = Endpoint::new().latency(millis(50));
    let source = endpoint.source();
    tokio::spawn(source.keep_fresh());
    tokio::spawn(source.clone().keep_fresh());
    tokio::time::sleep(secs(1)).await;
    fetch_ended(&source).await;
    assert_eq!((endpoint.attempts(), endpoint.most_under_way()), (1, 1));
}
