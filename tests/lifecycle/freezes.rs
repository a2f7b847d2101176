//! A process that stands still for a while (SIGSTOP, a paused machine), on a clock that is moved in one step.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{millis, secs};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, yield_now},
    time::{Instant, advance, sleep},
};
use tower::service_fn;
use tower_oauth::{
    BoxError, Clock, FetchError, Policy, Token, TokenRequest, TokenSource, TokenSourceBuilder,
};

/// How long the endpoint takes to answer.
const LATENCY: Duration = millis(600);

/// What the endpoint says to an attempt.
type Answer = fn(u32) -> Result<Token, BoxError>;

/// A source whose fetcher gets its answers through a task of their own, as HTTP clients do. `token-1` comes with the
/// first attempt.
fn source(answer: Answer) -> (TokenSourceBuilder, Arc<AtomicUsize>) {
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = fetches.clone();
    let fetcher = service_fn(move |request: TokenRequest| {
        counted.fetch_add(1, Ordering::SeqCst);
        let (sender, answered) = oneshot::channel();
        tokio::spawn(async move {
            sleep(LATENCY).await;
            // The socket is read, and then what was read: the time-outs look first.
            for _ in 0..5 {
                yield_now().await;
            }
            drop(sender.send(answer(request.attempt())));
        });
        async move { answered.await? }
    });
    let builder = TokenSource::builder(fetcher).clock(Clock::tokio());
    (builder, fetches)
}

fn token(lifetime: Duration, attempt: u32) -> Result<Token, BoxError> {
    Ok(Token::new(format!("token-{attempt}")).with_lifetime(lifetime))
}

/// A request for a token, made while a fetch is under way; and the process stands still in the middle of it.
async fn freeze(source: &TokenSource, fetches: &AtomicUsize, by: Duration) -> JoinHandle<String> {
    let asking = source.clone();
    let waiter = tokio::spawn(async move {
        match asking.token().await {
            Ok(token) => token.expose_token().to_owned(),
            Err(error) => error.to_string(),
        }
    });
    while fetches.load(Ordering::SeqCst) == 0 {
        yield_now().await;
    }
    advance(LATENCY / 2).await;
    advance(by).await;
    waiter
}

#[tokio::test(start_paused = true)]
async fn what_has_come_is_read_before_a_time_out_is_believed() {
    // Past the bound of the attempt, of the fetch, of the waiter, and of all of them many times.
    for stopped in [9, 21, 26, 30, 2000] {
        let (builder, fetches) = source(|attempt| token(secs(3600), attempt));
        let source = builder.build().unwrap();
        let waiter = freeze(&source, &fetches, secs(stopped)).await;
        assert_eq!(waiter.await.unwrap(), "token-1", "{stopped} s");
        assert_eq!(fetches.load(Ordering::SeqCst), 1, "{stopped} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_come_is_read_also_in_the_last_moment_of_a_bound() {
    let tight = |policy: &mut Policy| {
        policy.timeouts.attempt = LATENCY + millis(1);
        policy.timeouts.fetch = LATENCY + millis(2);
        policy.retry.max_retry_after_in_fetch = LATENCY;
        policy.timeouts.acquire = LATENCY + millis(1003);
    };
    let (builder, fetches) = source(|attempt| token(secs(3600), attempt));
    let source = builder.policy(tight).build().unwrap();
    let waiter = freeze(&source, &fetches, secs(2)).await;
    assert_eq!(waiter.await.unwrap(), "token-1");
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_died_on_the_way_is_asked_for_again_at_once() {
    for (lifetime, stopped) in [(3, 5), (3, 23), (10, 30), (600, 3600)] {
        let (builder, fetches) = match lifetime {
            3 => source(|attempt| token(secs(3), attempt)),
            10 => source(|attempt| token(secs(10), attempt)),
            _ => source(|attempt| token(secs(600), attempt)),
        };
        let source = builder.build().unwrap();
        let waiter = freeze(&source, &fetches, secs(stopped)).await;
        let woken = Instant::now();
        assert_eq!(waiter.await.unwrap(), "token-2", "{lifetime} s");
        assert_eq!(fetches.load(Ordering::SeqCst), 2, "{lifetime} s");
        assert!(woken.elapsed() <= LATENCY + millis(2), "{lifetime} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_to_the_freeze_is_followed_by_another_attempt() {
    let (builder, fetches) = source(|attempt| match attempt {
        1 => Err(FetchError::transient("the peer gave up").into()),
        _ => token(secs(600), attempt),
    });
    let source = builder.build().unwrap();
    let waiter = freeze(&source, &fetches, secs(40)).await;
    assert_eq!(waiter.await.unwrap(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_bound_is_lengthened_once_however_late_every_timer_is() {
    let (builder, fetches) = source(|_| Err(FetchError::transient("never").into()));
    let hangs = |policy: &mut Policy| policy.retry.attempts = 1000;
    let source = builder.policy(hangs).build().unwrap();
    let started = Instant::now();
    let waiter = freeze(&source, &fetches, secs(1)).await;
    while !waiter.is_finished() {
        advance(secs(1)).await;
        yield_now().await;
    }
    let took = started.elapsed();
    assert!(took >= secs(20) && took <= secs(24), "{took:?}");
}
