//! One fetch in flight, whoever asks, and whoever goes away.

mod support;

use futures_util::future::join_all;
use support::{Endpoint, millis, secs};
use tower_oauth::FetchError;

#[tokio::test(start_paused = true)]
async fn a_herd_on_a_cold_source_makes_one_fetch() {
    let endpoint = Endpoint::new().latency(millis(50));
    let source = endpoint.source();
    let tokens = join_all((0..10_000).map(|_| source.token())).await;
    assert!(
        tokens
            .iter()
            .all(|token| token.as_ref().unwrap().expose_token() == "token-1")
    );
    assert_eq!(endpoint.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_herd_on_a_failing_endpoint_shares_one_error_after_one_latency() {
    let endpoint = Endpoint::new().latency(millis(50));
    endpoint.then_fail(FetchError::unclear("no"));
    let source = endpoint.source();
    let started = tokio::time::Instant::now();
    let results = join_all((0..100).map(|_| source.token())).await;
    let errors: Vec<_> = results
        .into_iter()
        .map(|it| it.unwrap_err().to_string())
        .collect();
    assert!(errors.iter().all(|error| *error == errors[0]));
    assert!(started.elapsed() < millis(60));
    assert_eq!(endpoint.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn all_callers_dropped_and_the_fetch_survives() {
    let endpoint = Endpoint::new().latency(millis(50));
    let source = endpoint.source();
    for _ in 0..20 {
        let caller = tokio::time::timeout(millis(2), source.token());
        assert!(caller.await.is_err());
    }
    tokio::time::sleep(secs(1)).await;
    assert_eq!(source.token().await.unwrap().expose_token(), "token-1");
    assert_eq!(endpoint.fetches(), 1);
}
