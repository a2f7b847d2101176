//! What a source says of its last fetch: a failure until one succeeds, and the last success all the time.

use crate::support::{Answer, Endpoint, fetch_ended, secs, served};
use tower_oauth::{FailureClass, FetchError, OAuthErrorKind, Token};

/// A page that looks every 15 s, at a failure between two looks whose back-off is over at the second, with no request
/// since.
#[tokio::test(start_paused = true)]
async fn a_failure_is_seen_by_whoever_looks_seldom() {
    let endpoint = Endpoint::new().latency(secs(2));
    let source = endpoint.source();
    assert_eq!(source.status().last_failure, None);
    tokio::time::sleep(secs(4)).await;
    endpoint.then_fail(FetchError::unclear("down"));
    let error = source.token().await.unwrap_err();
    let failed_at = endpoint.clock.wall();
    tokio::time::sleep(secs(9)).await; // back-off: at most 6.25 s
    for look in 1..=240 {
        let status = source.status();
        assert_eq!(status.retry_at, None, "look {look}");
        assert_eq!(status.error, Some(error.to_string()), "look {look}");
        let failure = status.last_failure.unwrap();
        assert_eq!(failure.at, failed_at);
        assert_eq!(failure.class, FailureClass::Unclear);
        assert_eq!(failure.kind, OAuthErrorKind::Fetcher);
        assert_eq!((failure.attempts, failure.consecutive), (1, 1));
        assert_eq!(status.last_fetch_duration, Some(secs(2)));
        assert_eq!(status.last_success, None);
        tokio::time::sleep(secs(15)).await;
    }
    assert_eq!(endpoint.attempts(), 1);

    source.token().await.unwrap();
    let status = source.status();
    assert_eq!((status.error, status.last_failure), (None, None));
    assert_eq!(status.last_success, Some(endpoint.clock.wall()));
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_are_counted_until_one_succeeds() {
    let endpoint = Endpoint::new();
    endpoint
        .then_fail(FetchError::transient("busy"))
        .then_fail(FetchError::transient("busy"))
        .then_fail(FetchError::transient("busy"))
        .then(Answer::Panic)
        .then_fail(FetchError::permanent("invalid_client"));
    let source = endpoint.source();
    for (class, attempts, consecutive) in [
        (FailureClass::Transient, 3, 1),
        (FailureClass::Unclear, 1, 2),
        (FailureClass::Permanent, 1, 3),
    ] {
        assert!(source.token().await.is_err());
        // An operator who ends the back-off has not made anything succeed.
        source.retry_now();
        let failure = source.status().last_failure.unwrap();
        assert_eq!(failure.class, class);
        assert_eq!(
            (failure.attempts, failure.consecutive),
            (attempts, consecutive)
        );
        tokio::time::sleep(secs(2)).await;
    }
    source.token().await.unwrap();
    assert_eq!(source.status().last_failure, None);

    endpoint.then_fail(FetchError::unclear("down"));
    source.invalidate(source.token().await.unwrap().generation());
    fetch_ended(&source).await;
    assert_eq!(source.status().last_failure.unwrap().consecutive, 1);
}

/// A request that waited too long, or is for elsewhere, says nothing about the last fetch.
#[tokio::test(start_paused = true)]
async fn only_a_fetch_that_failed_is_a_failure() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let elsewhere = "http://elsewhere.example/".parse().unwrap();
    assert!(source.permits(&elsewhere).is_err());
    source.ready().await.unwrap();
    source.shutdown();
    let status = source.status();
    assert_eq!(status.last_failure, None);
    assert_eq!(
        status.error.unwrap(),
        "test: the token source was shut down"
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_says_when_and_how_long_and_for_how_long() {
    let endpoint = Endpoint::new().lifetime(secs(1000)).latency(secs(3));
    let source = endpoint.source();
    let asked_at = endpoint.clock.wall();
    source.ready().await.unwrap();
    let status = source.status();
    assert_eq!(status.last_fetch_duration, Some(secs(3)));
    assert_eq!(status.last_success, Some(asked_at + secs(3)));
    // A life begins before the attempt that brought the token.
    assert_eq!(status.issued_at, Some(asked_at));
    assert_eq!(status.lifetime, Some(secs(1000)));
    assert_eq!(status.expires_in, Some(secs(997)));

    tokio::time::advance(secs(850)).await;
    endpoint.then_fail(FetchError::unclear("down"));
    served(&source);
    fetch_ended(&source).await;
    let status = source.status();
    assert!(status.last_failure.is_some());
    assert_eq!(status.last_success, Some(asked_at + secs(3)));
    assert_eq!(status.issued_at, Some(asked_at));
}

/// A token that says since when it lives.
#[tokio::test(start_paused = true)]
async fn an_issue_time_that_a_token_states_is_shown() {
    let endpoint = Endpoint::new();
    let issued_at = endpoint.clock.wall() - secs(100);
    let token = Token::new("old")
        .with_issued_at(issued_at)
        .with_lifetime(secs(1000));
    endpoint.then(Answer::Token(token));
    let source = endpoint.source();
    source.ready().await.unwrap();
    let status = source.status();
    assert_eq!(status.issued_at, Some(issued_at));
    assert_eq!(status.lifetime, Some(secs(1000)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_a_table_of_words_and_numbers() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::permanent("invalid_client"));
    let source = endpoint.source();
    assert!(source.ready().await.is_err());
    let failure = serde_json::to_value(source.status()).unwrap()["last_failure"].take();
    let at = jiff::Timestamp::try_from(endpoint.clock.wall()).unwrap();
    assert_eq!(
        failure,
        serde_json::json!({
            "at": format!("{at:.3}"),
            "class": "permanent",
            "kind": "fetcher",
            "attempts": 1,
            "consecutive": 1,
            "summary": "test: the fetcher failed: invalid_client",
            "advice": null,
        })
    );
}
