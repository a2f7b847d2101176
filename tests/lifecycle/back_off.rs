//! What failures lead to: another attempt, a wait, and the error that callers get.

use std::time::Duration;

use crate::support::{Endpoint, ask_steadily, at_once, fetch_ended, millis, secs, served, text};
use futures_util::future::join_all;
use tower_oauth::{BackOff, BoxError, FailureClass, FetchError, TokenSource};

type MakeError = fn() -> FetchError;

/// How long the source says that it backs off from now on.
fn back_off_left(endpoint: &Endpoint, source: &TokenSource) -> Duration {
    let retry_at = source.status().retry_at.expect("it backs off");
    retry_at.duration_since(endpoint.clock.wall()).unwrap()
}

/// The back-offs of as many failures in a row.
async fn back_offs(error: MakeError, attempts: u32, failures: usize) -> Vec<Duration> {
    let endpoint = Endpoint::new();
    let builder = endpoint
        .builder()
        .policy(|policy| policy.retry.attempts = attempts);
    let source = builder.build().unwrap();
    let mut waits = Vec::new();
    for _ in 0..failures {
        endpoint.then_fail(error());
        assert!(source.token().await.is_err());
        let wait = back_off_left(&endpoint, &source);
        waits.push(wait);
        tokio::time::advance(wait).await;
    }
    waits
}

/// Each within a quarter of what is expected, in seconds.
fn assert_spread(waits: &[Duration], expected: &[u64]) {
    assert_eq!(waits.len(), expected.len());
    for (wait, middle) in waits.iter().zip(expected) {
        let middle = secs(*middle);
        assert!(
            *wait >= middle * 3 / 4 && *wait <= middle * 5 / 4,
            "{waits:?}"
        );
    }
    let in_step = waits
        .iter()
        .zip(expected)
        .all(|(wait, it)| *wait == secs(*it));
    assert!(!in_step, "no jitter: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn back_off_doubles_to_the_longest_of_its_class() {
    let transient = back_offs(|| FetchError::transient("busy"), 1, 8).await;
    assert_spread(&transient, &[1, 2, 4, 8, 16, 32, 60, 60]);
    let unclear = back_offs(|| FetchError::unclear("what"), 1, 6).await;
    assert_spread(&unclear, &[5, 10, 20, 40, 60, 60]);
    let permanent = back_offs(|| FetchError::permanent("invalid_client"), 1, 8).await;
    assert_spread(&permanent, &[5, 10, 20, 40, 80, 160, 300, 300]);
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_tried_three_times_in_a_fetch() {
    let endpoint = Endpoint::new();
    for _ in 0..3 {
        endpoint.then_fail(FetchError::transient("busy"));
    }
    let source = endpoint.source();
    let error = source.token().await.unwrap_err();
    assert_eq!(error.class(), Some(FailureClass::Transient));
    assert!(error.to_string().contains("Tried 3 times."), "{error}");
    assert_eq!(endpoint.attempts(), 3);
    // Up to 200 ms, then up to 400 ms.
    assert!(endpoint.elapsed() <= millis(610));
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_that_passes_is_not_seen_by_callers() {
    let endpoint = Endpoint::new();
    endpoint
        .then_fail(FetchError::transient("busy"))
        .then_fail(FetchError::transient("busy"));
    let source = endpoint.source();
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(endpoint.attempts(), 3);
    let counters = source.status().counters;
    assert_eq!(
        (counters.fetches, counters.attempts, counters.failures),
        (1, 3, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn unclear_and_permanent_failures_are_not_tried_again_in_the_fetch() {
    let errors: [(BoxError, FailureClass); 3] = [
        ("any error at all".into(), FailureClass::Unclear),
        (FetchError::unclear("what").into(), FailureClass::Unclear),
        (
            FetchError::permanent("invalid_client").into(),
            FailureClass::Permanent,
        ),
    ];
    for (error, class) in errors {
        let endpoint = Endpoint::new();
        endpoint.then_fail(error);
        let error = endpoint.source().token().await.unwrap_err();
        assert_eq!((error.class(), endpoint.attempts()), (Some(class), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_retry_after_is_waited_for_within_the_fetch() {
    for asked in [millis(1500), secs(5)] {
        let endpoint = Endpoint::new();
        endpoint.then_fail(FetchError::transient("busy").with_retry_after(asked));
        assert_eq!(text(&endpoint.source()).await, "token-1");
        let arrivals = endpoint.arrivals();
        let waited = arrivals[1] - arrivals[0];
        assert!(
            waited >= asked && waited <= asked.mul_f64(1.1) + millis(2),
            "{waited:?}"
        );
        assert_eq!(arrivals.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_retry_after_ends_the_fetch_at_once_and_sets_the_back_off() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::transient("busy").with_retry_after(millis(5001)));
    let source = endpoint.source();
    let errors = join_all((0..10).map(|_| source.token())).await;
    assert!(
        errors
            .iter()
            .all(|it| it.as_ref().unwrap_err().retry_at().is_some())
    );
    assert!(endpoint.elapsed() < millis(10));
    let wait = back_off_left(&endpoint, &source);
    assert!(wait >= millis(5000) && wait <= millis(5502), "{wait:?}");

    tokio::time::advance(wait - millis(1)).await;
    assert!(at_once(&source).unwrap().is_err());
    assert_eq!(endpoint.attempts(), 1);
    tokio::time::advance(millis(1)).await;
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_counts_whatever_the_class_and_never_shortens_the_back_off() {
    let errors: [MakeError; 2] = [
        || FetchError::unclear("slow down"),
        || FetchError::permanent("slow down"),
    ];
    for error in errors {
        for (asked, longest) in [(secs(1), millis(6250)), (secs(60), secs(66))] {
            let endpoint = Endpoint::new();
            endpoint.then_fail(error().with_retry_after(asked));
            let source = endpoint.source();
            assert!(source.token().await.is_err());
            let wait = back_off_left(&endpoint, &source) + millis(2);
            let shortest = asked.max(millis(3750));
            assert!(wait >= shortest && wait <= longest + millis(2), "{wait:?}");
            assert_eq!(endpoint.attempts(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_absurd_retry_after_is_cut_to_five_minutes() {
    for asked in [secs(301), secs(86_400 * 365), Duration::MAX] {
        let endpoint = Endpoint::new();
        endpoint.then_fail(FetchError::transient("busy").with_retry_after(asked));
        let source = endpoint.source();
        assert!(source.token().await.is_err());
        let wait = back_off_left(&endpoint, &source) + millis(2);
        assert!(
            wait >= secs(300) && wait <= secs(330) + millis(2),
            "{wait:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_nothing_is_no_busy_loop() {
    let endpoint = Endpoint::new();
    for _ in 0..100 {
        endpoint.then_fail(FetchError::transient("busy").with_retry_after(Duration::ZERO));
    }
    let source = endpoint.source();
    ask_steadily(&source, millis(10), secs(60)).await;
    // Three attempts in each fetch, after 1, 2, 4, 8, 16 and 32 s.
    assert!(endpoint.attempts() <= 24, "{}", endpoint.attempts());
}

#[tokio::test(start_paused = true)]
async fn during_a_back_off_all_callers_get_the_same_error_at_once_without_an_attempt() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    let first = source.token().await.unwrap_err();
    let wait = back_off_left(&endpoint, &source);
    for _ in 0..100 {
        let error = at_once(&source).unwrap().unwrap_err();
        assert_eq!(error.to_string(), first.to_string());
        assert_eq!(error.retry_at(), first.retry_at());
    }
    tokio::time::advance(wait - Duration::from_nanos(1)).await;
    assert!(at_once(&source).unwrap().is_err());
    assert_eq!(endpoint.attempts(), 1);
    assert_eq!(first.retry_at(), source.status().retry_at);
}

#[tokio::test(start_paused = true)]
async fn after_the_back_off_exactly_one_fetch_is_admitted() {
    let endpoint = Endpoint::new().latency(millis(50));
    endpoint
        .then_fail(FetchError::unclear("down"))
        .then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    assert!(source.token().await.is_err());
    tokio::time::advance(back_off_left(&endpoint, &source)).await;
    let results = join_all((0..100).map(|_| source.token())).await;
    assert!(results.iter().all(Result::is_err));
    assert_eq!((endpoint.attempts(), endpoint.most_under_way()), (2, 1));

    tokio::time::advance(back_off_left(&endpoint, &source)).await;
    let tokens = join_all((0..100).map(|_| text(&source))).await;
    assert!(tokens.iter().all(|token| token == "token-1"));
    assert_eq!((endpoint.attempts(), endpoint.most_under_way()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_success_makes_the_next_back_off_start_anew() {
    let endpoint = Endpoint::new().lifetime(secs(100));
    let source = endpoint.source();
    for _ in 0..4 {
        endpoint.then_fail(FetchError::unclear("down"));
    }
    source.ready().await.unwrap();
    endpoint.then_fail(FetchError::unclear("down"));
    tokio::time::advance(secs(95)).await;
    assert!(source.token().await.is_err());
    assert!(back_off_left(&endpoint, &source) <= millis(6250));
    assert_eq!(endpoint.attempts(), 6);
}

#[tokio::test(start_paused = true)]
async fn retry_now_ends_a_back_off() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::permanent("invalid_client"));
    let source = endpoint.source();
    assert!(source.token().await.is_err());
    assert!(at_once(&source).unwrap().is_err());
    source.retry_now();
    assert_eq!(source.status().retry_at, None);
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn retry_now_lets_a_stale_token_be_refreshed() {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    let source = endpoint.source();
    source.ready().await.unwrap();
    tokio::time::advance(secs(850)).await;
    endpoint.then_fail(FetchError::permanent("invalid_client"));
    assert_eq!(served(&source), "token-1");
    fetch_ended(&source).await;
    assert_eq!(served(&source), "token-1");
    assert!(!source.status().fetching);
    source.retry_now();
    assert_eq!(served(&source), "token-1");
    fetch_ended(&source).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn retry_now_without_a_back_off_fetches_nothing() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    source.retry_now();
    source.ready().await.unwrap();
    source.retry_now();
    assert_eq!(served(&source), "token-1");
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_numbers_of_a_back_off_can_be_set() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down"));
    let builder = endpoint.builder().policy(|policy| {
        policy.back_off.unclear = BackOff::new(secs(100), secs(100));
    });
    let source = builder.build().unwrap();
    assert!(source.token().await.is_err());
    assert_spread(&[back_off_left(&endpoint, &source)], &[100]);
}
