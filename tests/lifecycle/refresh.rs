//! A refresh that is asked for, because something has changed that the token rests on.

use crate::support::{Answer, Endpoint, millis, secs, served};
use tower_oauth::{FetchCause, FetchError, SourceState};

#[tokio::test(start_paused = true)]
async fn it_happens_behind_the_requests_and_once() {
    let endpoint = Endpoint::new().latency(secs(5));
    let source = endpoint.source();
    source.ready().await.unwrap();
    source.refresh();
    assert_eq!(served(&source), "token-1");
    tokio::time::sleep(secs(4)).await;
    assert_eq!(served(&source), "token-1");
    tokio::time::sleep(secs(2)).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!(source.status().state, SourceState::Fresh);
    assert_eq!(endpoint.causes(), [FetchCause::Missing, FetchCause::Ahead]);
}

#[tokio::test(start_paused = true)]
async fn many_are_one() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    source.ready().await.unwrap();
    (0..10).for_each(|_| source.refresh());
    tokio::time::sleep(secs(60)).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!(endpoint.attempts(), 2);
}

/// What the running fetch was sent with may be what was there before.
#[tokio::test(start_paused = true)]
async fn one_during_a_fetch_is_followed_by_another_fetch() {
    let endpoint = Endpoint::new().latency(secs(5));
    let source = endpoint.source();
    source.ready().await.unwrap();
    source.refresh();
    tokio::time::sleep(secs(3)).await;
    source.refresh();
    tokio::time::sleep(secs(3)).await;
    // The first request that gets the outdated token starts the next.
    assert_eq!(source.status().state, SourceState::Stale);
    assert_eq!(served(&source), "token-2");
    tokio::time::sleep(secs(6)).await;
    assert_eq!(served(&source), "token-3");
    assert_eq!(source.status().state, SourceState::Fresh);
    assert_eq!(endpoint.attempts(), 3);
}

/// Its second attempt is made after the change.
#[tokio::test(start_paused = true)]
async fn one_between_two_attempts_needs_no_other_fetch() {
    let endpoint = Endpoint::new();
    let source = endpoint.builder();
    let source = source
        .policy(|policy| policy.retry.first_wait = secs(2))
        .seed(1);
    let source = source.build().unwrap();
    source.ready().await.unwrap();
    tokio::time::sleep(secs(10)).await;
    endpoint.then_fail(FetchError::transient("busy").with_retry_after(secs(3)));
    source.refresh();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(endpoint.attempts(), 2);
    source.refresh();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(served(&source), "token-2");
    assert_eq!(source.status().state, SourceState::Fresh);
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_there_is_nothing_to_refresh() {
    let endpoint = Endpoint::new().lifetime(secs(100));
    let source = endpoint.source();
    source.refresh();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(endpoint.attempts(), 0);
    source.ready().await.unwrap();
    tokio::time::sleep(secs(200)).await;
    source.refresh();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_the_end_of_a_back_off() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    source.ready().await.unwrap();
    endpoint.then_fail(FetchError::unclear("down").with_retry_after(secs(100)));
    source.refresh();
    tokio::time::sleep(secs(10)).await;
    source.refresh();
    tokio::time::sleep(secs(10)).await;
    assert_eq!(
        (served(&source), endpoint.attempts()),
        ("token-1".into(), 2)
    );
    tokio::time::sleep(secs(100)).await;
    served(&source);
    tokio::time::sleep(millis(10)).await;
    assert_eq!(served(&source), "token-2");
}

#[tokio::test(start_paused = true)]
async fn keep_fresh_needs_no_request_for_it() {
    let endpoint = Endpoint::new().latency(secs(5));
    let source = endpoint.source();
    tokio::spawn(source.keep_fresh());
    source.ready().await.unwrap();
    source.refresh();
    tokio::time::sleep(secs(1)).await;
    source.refresh();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_repeats_its_token_is_asked_once() {
    let endpoint = Endpoint::new();
    let token = || tower_oauth::Token::new("same").with_lifetime(secs(3600));
    for _ in 0..2 {
        endpoint.then(Answer::Token(token()));
    }
    let source = endpoint.source();
    source.ready().await.unwrap();
    source.refresh();
    tokio::time::sleep(secs(60)).await;
    assert_eq!((served(&source), endpoint.attempts()), ("same".into(), 2));
    assert_eq!(source.status().state, SourceState::Fresh);
}
