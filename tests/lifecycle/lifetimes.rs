//! What a source makes of the lifetimes that fetchers state.

use std::time::Duration;

use crate::support::{Answer, Endpoint, ask_steadily, at_once, millis, secs, served, text};
use tower_oauth::{SourceState, Token, TokenSource};

/// A source that holds one token, without jitter.
async fn holding(endpoint: &Endpoint, token: Token) -> TokenSource {
    endpoint.then(Answer::Token(token));
    let source = endpoint
        .builder()
        .policy(|policy| policy.refresh.jitter = 0.0);
    let source = source.build().unwrap();
    source.ready().await.unwrap();
    source
}

/// Asserts that the first token is refreshed, and then used up, that long after its attempt was sent.
async fn assert_window(endpoint: &Endpoint, source: &TokenSource, due: Duration, over: Duration) {
    let start = endpoint.arrivals()[0];
    for (at, state) in [
        (start + due - millis(1), SourceState::Fresh),
        (start + due, SourceState::Stale),
        (start + over - millis(1), SourceState::Stale),
        (start + over, SourceState::Expired),
    ] {
        endpoint.advance_to(at).await;
        assert_eq!(source.status().state, state, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_lifetime_takes_at_most_two_fetches_under_constant_traffic() {
    for lifetime in [1, 2, 3, 5, 10, 20, 31, 60, 300, 1800, 3600, 86_400] {
        let endpoint = Endpoint::new().lifetime(secs(lifetime));
        let source = endpoint.source();
        ask_steadily(&source, secs(lifetime) / 100, secs(lifetime) * 10).await;
        let fetches = endpoint.attempts();
        assert!((10..=20).contains(&fetches), "{lifetime} s: {fetches}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_guarantees_table_of_lifetimes_is_right() {
    for (lifetime, earliest, latest, over) in [
        (3600, 2520, 2880, 3590),
        (300, 210, 240, 290),
        (60, 42, 48, 57),
    ] {
        let endpoint = Endpoint::new().lifetime(secs(lifetime));
        let source = endpoint.source();
        source.ready().await.unwrap();
        let start = endpoint.arrivals()[0];
        for (at, state) in [
            (secs(earliest) - millis(1), SourceState::Fresh),
            (secs(latest), SourceState::Stale),
            (secs(over) - millis(1), SourceState::Stale),
            (secs(over), SourceState::Expired),
        ] {
            endpoint.advance_to(start + at).await;
            assert_eq!(source.status().state, state, "{lifetime} s at {at:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn short_tokens_are_not_fetched_again_at_once() {
    for lifetime in [20, 31, 300] {
        let endpoint = Endpoint::new().lifetime(secs(lifetime));
        let source = endpoint.source();
        source.ready().await.unwrap();
        let unserved = ask_steadily(&source, millis(100), secs(lifetime) / 2).await;
        assert_eq!((unserved, endpoint.attempts()), (0, 1), "{lifetime} s");
    }
}

#[tokio::test(start_paused = true)]
async fn no_stated_lifetime_means_five_minutes_unless_set() {
    let endpoint = Endpoint::new();
    let source = holding(&endpoint, Token::new("unstated")).await;
    assert_window(&endpoint, &source, secs(240), secs(290)).await;

    let endpoint = Endpoint::new();
    endpoint.then(Answer::Token(Token::new("unstated")));
    let source = endpoint.builder().policy(|policy| {
        policy.refresh.jitter = 0.0;
        policy.lifetime.default = secs(1000);
    });
    let source = source.build().unwrap();
    source.ready().await.unwrap();
    assert_window(&endpoint, &source, secs(800), secs(990)).await;
}

#[tokio::test(start_paused = true)]
async fn an_endless_lifetime_is_cut_to_a_day() {
    let endpoint = Endpoint::new();
    let source = holding(
        &endpoint,
        Token::new("endless").with_lifetime(Duration::MAX),
    )
    .await;
    assert_window(&endpoint, &source, secs(23 * 3600), secs(24 * 3600 - 10)).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_without_life_is_an_error_and_no_busy_loop() {
    let gone = Endpoint::new().clock.wall() - secs(1);
    for dead in [
        Token::new("dead").with_lifetime(Duration::ZERO),
        Token::new("dead").with_expiry(gone),
        Token::new("dead").with_expiry(std::time::UNIX_EPOCH),
        Token::new("dead")
            .with_lifetime(secs(60))
            .with_issued_at(gone - secs(60)),
    ] {
        let endpoint = Endpoint::new();
        for _ in 0..100 {
            endpoint.then(Answer::Token(dead.clone()));
        }
        let source = endpoint.source();
        let error = source.token().await.unwrap_err();
        assert!(error.is_malformed());
        let asked = ask_steadily(&source, millis(10), secs(60)).await;
        assert!(asked > 5000);
        // After 5, 10, 20 and 40 s, each within a quarter, and four attempts each time.
        assert_eq!(endpoint.attempts() % 4, 0);
        assert!(
            (12..=24).contains(&endpoint.attempts()),
            "{}",
            endpoint.attempts()
        );
        let arrivals = endpoint.arrivals();
        let apart = |pair: &[Duration]| pair[1] - pair[0] >= secs(1);
        assert!(
            arrivals
                .iter()
                .zip(&arrivals[2..])
                .all(|(one, third)| apart(&[*one, *third]))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_die_on_the_way_are_asked_for_again_at_once_and_then_an_error() {
    for (attempts, fetches) in [(1, 2), (2, 2), (3, 3)] {
        let endpoint = Endpoint::new().lifetime(secs(5)).latency(secs(6));
        let builder = endpoint.builder();
        let builder = builder.policy(|policy| policy.retry.attempts = attempts);
        let source = builder.build().unwrap();
        assert!(source.token().await.unwrap_err().is_malformed());
        let arrivals = endpoint.arrivals();
        assert_eq!(arrivals.len(), fetches);
        assert!(arrivals[1] <= secs(6) + millis(1), "{arrivals:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_handed_out_near_their_end_are_used_and_fetched_once_a_second() {
    let endpoint = Endpoint::new();
    for number in 0..100 {
        let token = Token::new(format!("old-{number}")).with_lifetime(secs(3600));
        // 36 s of its hour are left, of which it may be used for 26: it is due for refresh at once.
        let issued = endpoint.clock.wall() - secs(3564);
        endpoint.then(Answer::Token(token.with_issued_at(issued)));
    }
    let source = endpoint.source();
    assert_eq!(text(&source).await, "old-0");
    assert_eq!(ask_steadily(&source, millis(10), secs(20)).await, 0);
    assert!(endpoint.attempts() <= 22, "{}", endpoint.attempts());
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_blink_are_fetched_once_a_second_at_most() {
    let endpoint = Endpoint::new().lifetime(millis(50));
    let source = endpoint.source();
    assert_eq!(text(&source).await, "token-1");
    ask_steadily(&source, millis(5), secs(20)).await;
    assert!(
        (19..=22).contains(&endpoint.attempts()),
        "{}",
        endpoint.attempts()
    );
}

#[tokio::test(start_paused = true)]
async fn the_window_follows_a_lifetime_that_changes() {
    let endpoint = Endpoint::new().lifetime(secs(100));
    let source = holding(&endpoint, Token::new("long").with_lifetime(secs(1000))).await;
    endpoint
        .advance_to(endpoint.arrivals()[0] + secs(990))
        .await;
    assert_eq!(text(&source).await, "token-1");
    let start = endpoint.arrivals()[1];
    endpoint.advance_to(start + secs(80) - millis(1)).await;
    assert_eq!(source.status().state, SourceState::Fresh);
    endpoint.advance_to(start + secs(80)).await;
    assert_eq!(source.status().state, SourceState::Stale);
    endpoint.advance_to(start + secs(95)).await;
    assert_eq!(source.status().state, SourceState::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_does_not_lengthen_the_life() {
    let endpoint = Endpoint::new().latency(secs(7));
    let source = holding(&endpoint, Token::new("slow").with_lifetime(secs(100))).await;
    assert_window(&endpoint, &source, secs(80), secs(95)).await;
}

#[tokio::test(start_paused = true)]
async fn the_life_counts_from_the_attempt_that_got_the_token() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(tower_oauth::FetchError::transient("busy").with_retry_after(secs(4)));
    let source = holding(&endpoint, Token::new("second").with_lifetime(secs(100))).await;
    let start = endpoint.arrivals()[1];
    assert!(start >= secs(4));
    endpoint.advance_to(start + secs(95) - millis(1)).await;
    assert_eq!(source.status().state, SourceState::Stale);
    endpoint.advance_to(start + secs(95)).await;
    assert_eq!(source.status().state, SourceState::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_some_age_lives_from_its_issue() {
    let endpoint = Endpoint::new();
    let issued = endpoint.clock.wall() - secs(300);
    let token = Token::new("aged")
        .with_lifetime(secs(1000))
        .with_issued_at(issued);
    let source = holding(&endpoint, token).await;
    let ran = endpoint.arrivals()[0];
    assert_window(&endpoint, &source, secs(500) - ran, secs(690) - ran).await;
}

#[tokio::test(start_paused = true)]
async fn of_an_old_token_what_is_left_is_cut_to_a_day_and_no_more() {
    let endpoint = Endpoint::new();
    let days = |days: u64| secs(days * 24 * 3600);
    let issued = endpoint.clock.wall() - days(30);
    let token = Token::new("old")
        .with_lifetime(days(40))
        .with_issued_at(issued);
    let source = holding(&endpoint, token).await;
    let left = source.status().expires_in.unwrap();
    assert!(left <= days(1) && left > days(1) - secs(60), "{left:?}");
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_issue_in_the_future_counts_as_now() {
    let endpoint = Endpoint::new();
    let issued = endpoint.clock.wall() + secs(5000);
    let token = Token::new("early")
        .with_lifetime(secs(1000))
        .with_issued_at(issued);
    let source = holding(&endpoint, token).await;
    assert_window(&endpoint, &source, secs(800), secs(990)).await;
}

#[tokio::test(start_paused = true)]
async fn a_moment_of_expiry_ends_the_life() {
    let endpoint = Endpoint::new();
    let end = endpoint.clock.wall() + secs(1000);
    let source = holding(&endpoint, Token::new("until").with_expiry(end)).await;
    assert_eq!(source.token().await.unwrap().expires_at(), end);
    endpoint.advance_to(secs(989)).await;
    assert_eq!(served(&source), "until");
    endpoint.advance_to(secs(990)).await;
    assert!(at_once(&source).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_moment_of_expiry_and_of_issue_make_the_whole_life() {
    let endpoint = Endpoint::new();
    let wall = endpoint.clock.wall();
    let token = Token::new("both").with_expiry(wall + secs(400));
    let source = holding(&endpoint, token.with_issued_at(wall - secs(600))).await;
    let ran = endpoint.arrivals()[0];
    // 20 % of 1000 s before the end, and not 20 % of the 400 s that are left.
    assert_window(&endpoint, &source, secs(200) - ran, secs(390) - ran).await;
}

#[tokio::test(start_paused = true)]
async fn the_expiry_is_shown_as_the_token_states_it() {
    let endpoint = Endpoint::new();
    let source = holding(&endpoint, Token::new("an-hour").with_lifetime(secs(3600))).await;
    let ran = endpoint.elapsed() - endpoint.arrivals()[0];
    assert_eq!(source.status().expires_in, Some(secs(3600) - ran));
    let expires_at = source.token().await.unwrap().expires_at();
    assert_eq!(expires_at, endpoint.clock.wall() + secs(3600) - ran);
}
