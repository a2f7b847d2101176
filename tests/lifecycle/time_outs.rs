//! The three bounds: of an attempt, of a fetch, and of one request's wait.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{Answer, Endpoint, fetch_ended, millis, secs, served, text};
use futures_util::FutureExt;
use tower::{ServiceBuilder, service_fn};
use tower_oauth::{BoxError, FailureClass, FetchError, Token, TokenRequest, TokenSource};

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_given_up_after_eight_seconds_and_tried_again() {
    let endpoint = Endpoint::new();
    endpoint.then(Answer::Hang);
    assert_eq!(text(&endpoint.source()).await, "token-1");
    let arrivals = endpoint.arrivals();
    assert_eq!(arrivals.len(), 2);
    assert!(
        arrivals[1] >= secs(8) && arrivals[1] <= millis(8202),
        "{arrivals:?}"
    );
    assert_eq!(endpoint.most_under_way(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_is_given_up_after_twenty_seconds() {
    let endpoint = Endpoint::new();
    for _ in 0..3 {
        endpoint.then(Answer::Hang);
    }
    let source = endpoint.source();
    let error = source.token().await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.class(), Some(FailureClass::Transient));
    assert!(endpoint.elapsed() >= secs(20) && endpoint.elapsed() <= millis(20_002));
    let counters = source.status().counters;
    assert_eq!(
        (endpoint.attempts(), counters.attempts, counters.failures),
        (3, 3, 3)
    );

    source.ready().await.unwrap();
    assert_eq!(served(&source), "token-1");
    assert_eq!((endpoint.attempts(), endpoint.most_under_way()), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_out_of_time_says_what_its_last_attempt_failed_with() {
    let endpoint = Endpoint::new();
    endpoint
        .then_fail(FetchError::transient("the first answer"))
        .then(Answer::Hang);
    let builder = endpoint.builder().policy(|policy| {
        policy.timeouts.attempt = secs(8);
        policy.timeouts.fetch = secs(8);
    });
    let error = builder.build().unwrap().token().await.unwrap_err();
    assert!(error.to_string().contains("the first answer"), "{error}");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_the_fetchers_own_stack_is_transient() {
    let endpoint = Endpoint::new();
    let hangs = service_fn(|_: TokenRequest| std::future::pending::<Result<Token, BoxError>>());
    let fetcher = ServiceBuilder::new().timeout(secs(1)).service(hangs);
    let source = TokenSource::builder(fetcher).clock(endpoint.clock.clone());
    let source = source.build().unwrap();
    let error = source.token().await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.class(), Some(FailureClass::Transient));
    assert_eq!(source.status().counters.attempts, 3);
    assert!(endpoint.elapsed() <= millis(3610));
}

#[tokio::test(start_paused = true)]
async fn a_waiters_own_bound_leaves_the_fetch_to_go_on() {
    let endpoint = Endpoint::new().latency(secs(15)).lifetime(secs(18));
    let builder = endpoint.builder();
    let builder = builder.policy(|policy| policy.timeouts.attempt = secs(16));
    let source = builder.build().unwrap();
    // The first fetch's token is over before the waiter looks at it, so it has to wait for a second one.
    let mut waiter = pin!(source.token());
    assert!(waiter.as_mut().now_or_never().is_none());
    tokio::time::sleep(secs(18)).await;
    let error = waiter.await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!((error.class(), error.retry_at()), (None, None));
    assert!(endpoint.elapsed() >= secs(25) && endpoint.elapsed() <= millis(25_002));

    assert!(source.status().fetching);
    fetch_ended(&source).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!((endpoint.attempts(), endpoint.most_under_way()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_fetchers_readiness_is_not_an_attempt() {
    let endpoint = Endpoint::new();
    let answers = service_fn(|_: TokenRequest| async {
        Ok::<_, BoxError>(Token::new("limited").with_lifetime(secs(5)))
    });
    let limited = ServiceBuilder::new()
        .rate_limit(1, secs(15))
        .service(answers);
    let source = TokenSource::builder(limited).clock(endpoint.clock.clone());
    let source = source.build().unwrap();
    source.ready().await.unwrap();
    tokio::time::advance(secs(5)).await;
    // Held back for longer than an attempt may take, the token lives from when it was asked for.
    source.ready().await.unwrap();
    assert!(endpoint.elapsed() >= secs(15));
    tokio::time::advance(millis(4700)).await;
    assert_eq!(served(&source), "limited");
    assert_eq!(source.status().counters.attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_never_gets_ready_ends_with_the_fetch_and_recovers() {
    let endpoint = Endpoint::new();
    let answers = service_fn(|_: TokenRequest| async {
        Ok::<_, BoxError>(Token::new("limited").with_lifetime(secs(5)))
    });
    let limited = ServiceBuilder::new()
        .rate_limit(1, secs(60))
        .service(answers);
    let source = TokenSource::builder(limited).clock(endpoint.clock.clone());
    let source = source.build().unwrap();
    source.ready().await.unwrap();
    tokio::time::advance(secs(5)).await;
    let error = source.token().await.unwrap_err();
    assert!(error.is_timeout());
    let counters = source.status().counters;
    assert_eq!((counters.attempts, counters.failures), (1, 0));

    source.ready().await.unwrap();
    assert!(endpoint.elapsed() >= secs(60));
    assert_eq!(source.status().counters.attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_zero_takes_no_time() {
    let started = tokio::time::Instant::now();
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let seen = arrivals.clone();
    let fetcher = service_fn(move |request: TokenRequest| {
        seen.lock().unwrap().push(started.elapsed());
        async move {
            match request.attempt() {
                3 => Ok(Token::new("third")),
                _ => Err(BoxError::from(FetchError::transient("busy"))),
            }
        }
    });
    let builder = TokenSource::builder(fetcher).policy(|policy| policy.retry.first_wait = secs(0));
    let source = builder.build().unwrap();
    // A timer of zero length that starts between two milliseconds fires with the next one.
    tokio::time::advance(Duration::from_micros(300)).await;
    assert_eq!(text(&source).await, "third");
    let expected = Duration::from_micros(300);
    assert_eq!(*arrivals.lock().unwrap(), [expected; 3]);
}
