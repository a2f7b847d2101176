//! What a source says of itself: status, counters, readiness, changes.

use crate::support::{Answer, Endpoint, at_once, fetch_ended, millis, secs, served};
use futures_util::{FutureExt, StreamExt};
use tower_oauth::{FetchError, SourceState};

#[tokio::test(start_paused = true)]
async fn the_state_follows_the_life_of_a_token() {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    let source = endpoint.source();
    let state = || source.status().state;
    assert_eq!(state(), SourceState::Missing);
    source.ready().await.unwrap();
    assert_eq!(state(), SourceState::Fresh);
    tokio::time::advance(secs(850)).await;
    assert_eq!(state(), SourceState::Stale);
    tokio::time::advance(secs(140)).await;
    assert_eq!(state(), SourceState::Expired);
    let generation = source.token().await.unwrap().generation();
    source.invalidate(generation);
    assert_eq!(state(), SourceState::Suspended);
    fetch_ended(&source).await;
    assert_eq!(state(), SourceState::Fresh);
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn looking_fetches_nothing() {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    let source = endpoint.source();
    for _ in 0..200 {
        source.status();
        tokio::time::sleep(secs(10)).await;
    }
    assert_eq!(endpoint.attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_without_a_token_says_so() {
    let endpoint = Endpoint::new();
    let status = endpoint.source().status();
    assert_eq!(status.name, "test");
    assert_eq!((status.generation, status.expires_in), (None, None));
    assert_eq!((status.error, status.retry_at), (None, None));
    assert!(!status.fetching && !status.state.is_usable());
    assert_eq!(status.counters, Default::default());
}

#[tokio::test(start_paused = true)]
async fn a_back_off_is_shown_while_it_lasts() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    let error = source.token().await.unwrap_err();
    let status = source.status();
    assert_eq!(status.error, Some(error.to_string()));
    assert_eq!(status.retry_at, error.retry_at());
    let wait = error
        .retry_at()
        .unwrap()
        .duration_since(endpoint.clock.wall());
    tokio::time::advance(wait.unwrap()).await;
    let status = source.status();
    assert_eq!(status.error, Some(error.to_string()));
    assert_eq!(status.retry_at, None);
    assert_eq!(error.retry_after(), Some(secs(0)));
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn everything_is_counted() {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    endpoint.then_fail(FetchError::transient("busy"));
    let source = endpoint.source();
    let first = source.token().await.unwrap().generation();
    tokio::time::advance(secs(850)).await;
    served(&source);
    fetch_ended(&source).await;
    source.invalidate(first);
    let second = source.token().await.unwrap().generation();
    source.invalidate(second);
    fetch_ended(&source).await;
    let counters = source.status().counters;
    assert_eq!(counters.attempts, 4);
    assert_eq!(counters.failures, 1);
    assert_eq!(counters.fetches, 3);
    assert_eq!(counters.refreshes_ahead, 1);
    assert_eq!(counters.rejections, 2);
    assert_eq!(counters.retries, 0);
    assert_eq!(endpoint.attempts(), 4);
    assert_eq!(source.status().generation, Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_status_is_a_flat_table_of_words_and_numbers() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    source.ready().await.unwrap();
    let ran = endpoint.elapsed() - endpoint.arrivals()[1];
    let table = serde_json::to_value(source.status()).unwrap();
    assert_eq!(table["name"], "test");
    assert_eq!(table["state"], "fresh");
    assert_eq!(table["generation"], 1);
    assert_eq!(table["expires_in_s"], (secs(3600) - ran).as_secs_f64());
    assert_eq!(table["retry_at"], serde_json::Value::Null);
    assert_eq!(table["counters"]["attempts"], 2);
    assert_eq!(table["last_failure"], serde_json::Value::Null);
    assert_eq!(table["lifetime_s"], 3600.0);
    for moment in ["issued_at", "last_success"] {
        let text = table[moment].as_str().unwrap();
        assert!(
            text.ends_with('Z') && text.contains('T'),
            "{moment}: {text}"
        );
    }
    assert!(table["last_fetch_duration_s"].is_f64());
    assert!(!table.to_string().contains("token-1"));
}

#[tokio::test(start_paused = true)]
async fn ready_outlasts_back_offs_of_every_passing_kind() {
    let endpoint = Endpoint::new();
    endpoint
        .then_fail(FetchError::unclear("down"))
        .then(Answer::Panic)
        .then_fail(FetchError::transient("busy").with_retry_after(secs(60)));
    let source = endpoint.source();
    source.ready().await.unwrap();
    assert_eq!(served(&source), "token-1");
    assert_eq!(endpoint.attempts(), 4);
    assert!(endpoint.elapsed() >= secs(60 + 7 + 3));
}

#[tokio::test(start_paused = true)]
async fn ready_does_not_wait_for_what_waiting_cannot_fix() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::permanent("invalid_client"));
    let source = endpoint.source();
    assert!(source.ready().await.is_err());
    assert_eq!(endpoint.attempts(), 1);
    assert!(endpoint.elapsed() < secs(1));
}

#[tokio::test(start_paused = true)]
async fn ready_is_let_go_by_retry_now() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down").with_retry_after(secs(300)));
    let source = endpoint.source();
    let ready = tokio::spawn({
        let source = source.clone();
        async move { source.ready().await.is_ok() }
    });
    tokio::time::sleep(secs(2)).await;
    source.retry_now();
    assert!(ready.await.unwrap());
    assert!(endpoint.elapsed() < secs(3));
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn ready_is_let_go_by_a_shutdown() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down").with_retry_after(secs(300)));
    let source = endpoint.source();
    let ready = tokio::spawn({
        let source = source.clone();
        async move { source.ready().await }
    });
    tokio::time::sleep(secs(2)).await;
    source.shutdown();
    assert!(ready.await.unwrap().unwrap_err().is_closed());
    assert!(endpoint.elapsed() < secs(3));
}

#[tokio::test(start_paused = true)]
async fn ready_that_is_dropped_takes_nothing_with_it() {
    let endpoint = Endpoint::new().latency(secs(2));
    let source = endpoint.source();
    assert!(tokio::time::timeout(secs(1), source.ready()).await.is_err());
    source.ready().await.unwrap();
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_change_is_reported_once() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    let mut changes = source.changes();
    assert!(changes.next().now_or_never().is_none());

    assert!(at_once(&source).is_none());
    let status = changes.next().await.unwrap();
    assert!(status.error.is_some());
    source.retry_now();
    let status = changes.next().await.unwrap();
    assert_eq!(status.state, SourceState::Missing);
    assert!(status.error.is_some() && status.retry_at.is_none());
    assert!(at_once(&source).is_none());
    let status = changes.next().await.unwrap();
    assert_eq!(
        (status.state, status.generation),
        (SourceState::Fresh, Some(1))
    );
    let generation = source.token().await.unwrap().generation();
    source.invalidate(generation);
    assert_eq!(changes.next().await.unwrap().state, SourceState::Suspended);
    assert_eq!(changes.next().await.unwrap().generation, Some(2));

    tokio::time::advance(millis(10)).await;
    assert!(changes.next().now_or_never().is_none());
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn changes_are_a_stream_and_none_is_lost_with_a_reader_that_gives_up() {
    let source = Endpoint::new().source();
    let mut changes = source.changes();
    assert!(StreamExt::next(&mut changes).now_or_never().is_none());
    let woken = async |changes: &mut tower_oauth::Changes| {
        let next = tokio::time::timeout(secs(1), StreamExt::next(changes));
        next.await.expect("the reader is woken")
    };
    let (status, ready) = tokio::join!(woken(&mut changes), source.ready());
    ready.unwrap();
    assert_eq!(status.unwrap().state, SourceState::Fresh);

    assert!(changes.next().now_or_never().is_none());
    source.invalidate(source.token().await.unwrap().generation());
    assert_eq!(
        woken(&mut changes).await.unwrap().state,
        SourceState::Suspended
    );
    drop(source);
    assert!(woken(&mut changes).await.is_none());
    assert!(woken(&mut changes).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_changes_keeps_no_source_alive() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let mut changes = source.changes();
    source.ready().await.unwrap();
    drop(source);
    assert!(changes.next().await.is_none());
}
