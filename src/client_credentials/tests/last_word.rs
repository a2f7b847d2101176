//! What a dialect and a policy both have a word on: the user's comes last, and counts.

use super::*;
use crate::{Clock, Margin, Policy, SourceState, TokenSource, token::Life};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A dialect that has its own word on everything that it shares with the policy.
fn opinionated() -> ClientCredentialsBuilder {
    let mut dialect = Dialect::new("opinionated", "https://login.example/token");
    dialect.default_lifetime = Some(secs(3600));
    dialect.max_lifetime = Some(secs(7200));
    dialect.refresh_margin = Some(Margin::Fixed(secs(300)));
    dialect.wait_after_429 = Some(secs(600));
    builder(dialect)
}

fn source(builder: ClientCredentialsBuilder, answer: Response<Full<Bytes>>) -> TokenSource {
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer) }
    });
    builder.clock(Clock::tokio()).build(transport).unwrap()
}

/// How long a token lives whose answer says this of it.
async fn lives(builder: ClientCredentialsBuilder, expiry: &str) -> Duration {
    let body = format!(r#"{{"access_token":"abc"{expiry}}}"#);
    let source = source(builder, answer(200, &body));
    source.token().await.unwrap();
    source.status().expires_in.unwrap()
}

#[tokio::test(start_paused = true)]
async fn default_lifetime() {
    let set = |policy: &mut Policy| policy.lifetime.default = secs(120);
    for expiry in ["", r#","expires_in":null"#, r#","expires_in":"soon""#] {
        assert_eq!(lives(opinionated(), expiry).await, secs(3600));
        assert_eq!(lives(opinionated().policy(set), expiry).await, secs(120));
        let usual = |policy: &mut Policy| policy.lifetime.default = secs(300);
        assert_eq!(lives(opinionated().policy(usual), expiry).await, secs(300));
    }
}

#[tokio::test(start_paused = true)]
async fn max_lifetime() {
    let long = r#","expires_in":86400"#;
    assert_eq!(lives(opinionated(), long).await, secs(7200));
    for seconds in [3600, 7201, 86_400] {
        let set = |policy: &mut Policy| policy.lifetime.max = secs(seconds);
        assert_eq!(lives(opinionated().policy(set), long).await, secs(seconds));
    }
}

/// Whether a token of an hour is refreshed after so many seconds, and not one before.
async fn is_refreshed_after(builder: ClientCredentialsBuilder, seconds: u64) -> bool {
    let still = |policy: &mut Policy| policy.refresh.jitter = 0.0;
    let body = r#"{"access_token":"abc","expires_in":3600}"#;
    let source = source(builder.policy(still), answer(200, body));
    source.token().await.unwrap();
    tokio::time::advance(secs(seconds - 1)).await;
    let before = source.status().state;
    tokio::time::advance(secs(1)).await;
    (before, source.status().state) == (SourceState::Fresh, SourceState::Stale)
}

#[tokio::test(start_paused = true)]
async fn refresh_margin() {
    let set = |policy: &mut Policy| policy.refresh.margin = Margin::Fixed(secs(600));
    assert!(is_refreshed_after(opinionated(), 3300).await);
    assert!(is_refreshed_after(opinionated().policy(set), 3000).await);
}

#[tokio::test(start_paused = true)]
async fn single_active() {
    let mut dialect = Dialect::new("single", "https://login.example/token");
    dialect.single_active = true;
    let set = |policy: &mut Policy| policy.refresh.single_active = false;
    assert!(!is_refreshed_after(builder(dialect.clone()), 2880).await);
    assert!(is_refreshed_after(builder(dialect).policy(set), 2880).await);
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait_after_a_429() {
    let waits = async |builder: ClientCredentialsBuilder| {
        let clock = Clock::tokio();
        let transport =
            service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(answer(429, "")) });
        let source = builder.clock(clock.clone()).build(transport).unwrap();
        let error = source.token().await.unwrap_err();
        error
            .retry_at()
            .unwrap()
            .duration_since(clock.wall())
            .unwrap()
            .as_secs()
    };
    let set = |policy: &mut Policy| policy.retry.max_retry_after = secs(60);
    assert!((60..=66).contains(&waits(opinionated().policy(set)).await));
}

/// Without a source there is no policy.
#[tokio::test]
async fn a_fetcher_alone_says_what_the_dialect_or_the_user_says() {
    let life = async |builder, expiry: &str| {
        let body = format!(r#"{{"access_token":"abc"{expiry}}}"#);
        ask(builder, answer(200, &body)).await.unwrap().life()
    };
    let set = |policy: &mut Policy| {
        policy.lifetime.default = secs(120);
        policy.lifetime.max = secs(600);
    };
    let long = r#","expires_in":86400"#;
    for (builder, expiry, expected) in [
        (plain(), "", Life::Unstated),
        (plain(), long, Life::For(secs(86_400))),
        (opinionated(), "", Life::For(secs(3600))),
        (opinionated(), long, Life::For(secs(7200))),
        (opinionated().policy(set), "", Life::For(secs(120))),
        (opinionated().policy(set), long, Life::For(secs(600))),
        (plain().policy(set), "", Life::For(secs(120))),
    ] {
        assert_eq!(life(builder, expiry).await, expected);
    }
}
