//! Endpoints that hand out the same token again, and those where a new token kills the old one.

use std::time::Duration;

use crate::support::{
    Answer, Endpoint, ask_steadily, at_once, fetch_ended, millis, secs, served, text,
};
use tower_oauth::{FetchCause, FetchError, SourceState, Token, TokenSource};

const SAME: &str = "the-same";

fn same(lifetime: Duration) -> Answer {
    Answer::Token(Token::new(SAME).with_lifetime(lifetime))
}

fn without_jitter(endpoint: &Endpoint) -> TokenSource {
    let builder = endpoint
        .builder()
        .policy(|policy| policy.refresh.jitter = 0.0);
    builder.build().unwrap()
}

fn generation(source: &TokenSource) -> Option<u64> {
    source.status().generation
}

/// A source whose token, of 1,000 s, has just been refreshed ahead.
async fn refreshed_once(endpoint: &Endpoint) -> TokenSource {
    let source = without_jitter(endpoint);
    source.ready().await.unwrap();
    endpoint
        .advance_to(endpoint.arrivals()[0] + secs(800))
        .await;
    assert_eq!(served(&source), SAME);
    fetch_ended(&source).await;
    source
}

/// Has the current token rejected, and waits for the fetch that may follow.
async fn reject(source: &TokenSource) {
    let generation = source.token().await.unwrap().generation();
    source.invalidate(generation);
    fetch_ended(source).await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_is_no_new_generation_and_is_used_up() {
    let endpoint = Endpoint::new();
    // The second answer states what is left, as it should; the third the whole again, as it should not.
    endpoint.then(same(secs(1000))).then(same(secs(200)));
    let source = without_jitter(&endpoint);
    source.ready().await.unwrap();
    let start = endpoint.arrivals()[0];
    endpoint.advance_to(start + secs(800)).await;
    assert_eq!(served(&source), SAME);
    fetch_ended(&source).await;
    assert_eq!(generation(&source), Some(1));

    let left = start + secs(990) - endpoint.elapsed() - secs(1);
    assert_eq!(ask_steadily(&source, millis(100), left).await, 0);
    assert_eq!(endpoint.attempts(), 2);
    endpoint.advance_to(start + secs(990)).await;
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(generation(&source), Some(2));
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_is_not_lengthened_by_a_later_answer() {
    let endpoint = Endpoint::new();
    endpoint.then(same(secs(1000))).then(same(secs(1000)));
    let source = without_jitter(&endpoint);
    source.ready().await.unwrap();
    let start = endpoint.arrivals()[0];
    endpoint.advance_to(start + secs(850)).await;
    assert_eq!(served(&source), SAME);
    fetch_ended(&source).await;
    endpoint.advance_to(start + secs(990)).await;
    assert!(at_once(&source).is_none());
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(endpoint.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_may_be_shortened_by_a_later_answer() {
    let endpoint = Endpoint::new();
    endpoint.then(same(secs(1000))).then(same(secs(100)));
    let source = refreshed_once(&endpoint).await;
    let second = endpoint.arrivals()[1];
    endpoint.advance_to(second + secs(95) - millis(1)).await;
    assert_eq!(served(&source), SAME);
    endpoint.advance_to(second + secs(95)).await;
    assert!(at_once(&source).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_that_comes_again_is_believed_anew() {
    let endpoint = Endpoint::new();
    endpoint.then(same(secs(100))).then(same(secs(100)));
    let source = without_jitter(&endpoint);
    source.ready().await.unwrap();
    tokio::time::advance(secs(95)).await;
    assert_eq!(text(&source).await, SAME);
    assert_eq!(ask_steadily(&source, millis(100), secs(94)).await, 0);
    assert_eq!((generation(&source), endpoint.attempts()), (Some(1), 2));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_keeps_its_mark_of_rejection() {
    let endpoint = Endpoint::new();
    endpoint.then(same(secs(1000))).then(same(secs(1000)));
    let source = without_jitter(&endpoint);
    reject(&source).await;
    assert_eq!(source.status().state, SourceState::Fresh);
    assert_eq!(served(&source), SAME);
    // Rejected already, and not cured by a fetch: another one is not made at once.
    for _ in 0..10 {
        reject(&source).await;
    }
    assert_eq!((generation(&source), endpoint.attempts()), (Some(1), 2));
    tokio::time::advance(secs(31)).await;
    reject(&source).await;
    assert_eq!(served(&source), "token-1");
    assert_eq!((generation(&source), endpoint.attempts()), (Some(2), 3));
}

#[tokio::test(start_paused = true)]
async fn an_extra_that_changes_makes_a_new_token() {
    let endpoint = Endpoint::new();
    for jwt in ["one", "two"] {
        let token = Token::new(SAME).with_extra("jwt_token", jwt);
        endpoint.then(Answer::Token(token.with_lifetime(secs(1000))));
    }
    let source = without_jitter(&endpoint);
    reject(&source).await;
    assert_eq!((generation(&source), endpoint.attempts()), (Some(2), 2));
}

#[tokio::test(start_paused = true)]
async fn a_single_active_token_is_never_refreshed_ahead() {
    let endpoint = Endpoint::new().lifetime(secs(1000)).latency(secs(2));
    let builder = endpoint
        .builder()
        .policy(|policy| policy.refresh.single_active = true);
    let source = builder.build().unwrap();
    source.ready().await.unwrap();
    let start = endpoint.arrivals()[0];
    let until = start + secs(990) - endpoint.elapsed() - secs(1);
    assert_eq!(ask_steadily(&source, millis(100), until).await, 0);
    assert_eq!(endpoint.attempts(), 1);

    endpoint.advance_to(start + secs(990)).await;
    assert!(at_once(&source).is_none());
    assert_eq!(text(&source).await, "token-2");
    assert_eq!(
        endpoint.causes(),
        [FetchCause::Missing, FetchCause::Expired]
    );
    assert_eq!(source.status().counters.refreshes_ahead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_repeated_by_a_mere_refresh_is_suspended_when_it_is_rejected() {
    let endpoint = Endpoint::new();
    endpoint.then(same(secs(1000))).then(same(secs(200)));
    let source = refreshed_once(&endpoint).await;

    let rejected = source.token().await.unwrap();
    source.invalidate(rejected.generation());
    assert!(at_once(&source).is_none(), "requests wait for the next");
    assert_eq!(text(&source).await, "token-1");
}

#[tokio::test(start_paused = true)]
async fn the_headers_handed_out_are_those_of_a_request() {
    let endpoint = Endpoint::new();
    let token = endpoint.source().token().await.unwrap();
    let headers: Vec<_> = token.headers().map(|(name, _)| name.as_str()).collect();
    assert_eq!(headers, ["authorization"]);
    assert!(format!("{token:?}").contains("generation"), "{token:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_gives_back_only_what_was_drawn_for_it() {
    let endpoint = Endpoint::new();
    endpoint.then(same(secs(1000))).then(same(secs(1000)));
    let builder = endpoint.builder().policy(|policy| {
        policy.refresh.jitter = 0.0;
        policy.rejection.burst = 1;
        policy.rejection.refill = secs(24 * 3600);
    });
    let source = builder.build().unwrap();
    // The one draw there is, for a token that comes again. The next fetch goes by suspicion, and fails.
    reject(&source).await;
    tokio::time::advance(secs(31)).await;
    endpoint.then_fail(FetchError::unclear("down"));
    reject(&source).await;
    assert_eq!(endpoint.attempts(), 3);

    let start = endpoint.arrivals()[1];
    endpoint.advance_to(start + secs(990)).await;
    assert_eq!(text(&source).await, "token-1");
    reject(&source).await;
    assert_eq!(endpoint.attempts(), 4, "no draw is left");
}
