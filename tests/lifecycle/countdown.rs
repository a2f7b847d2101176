//! Token endpoints that keep a token and hand it out until its end, with the whole seconds that are left of its life.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{millis, secs};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, advance, sleep, sleep_until},
};
use tower::service_fn;
use tower_oauth::{
    BoxError, ClientId, ClientSecret, Clock, IssuedToken, OAuthError, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

/// How a server makes whole seconds of what is left.
type Rounding = fn(f64) -> f64;

#[derive(Clone, Copy)]
struct Rules {
    lifetime: Duration,
    rounding: Rounding,
    /// How long after its end a token is still handed out.
    kept: Duration,
    latency: Duration,
}

impl Rules {
    fn new(lifetime: u64) -> Self {
        Self {
            lifetime: secs(lifetime),
            rounding: f64::floor,
            kept: Duration::ZERO,
            latency: Duration::ZERO,
        }
    }
}

/// A token endpoint, and the API that takes its tokens until their end and no longer.
#[derive(Clone)]
struct Bank(Arc<Mutex<BankState>>);

struct BankState {
    rules: Rules,
    /// When the token in the cache was made; `token-1` is the first.
    made: Instant,
    number: u32,
    /// When the endpoint was asked, and what it said of the life.
    asked: Vec<(Instant, f64)>,
}

impl Bank {
    /// A bank whose first token was made so long ago.
    fn new(rules: Rules, age: Duration) -> Self {
        Self(Arc::new(Mutex::new(BankState {
            rules,
            made: Instant::now() - age,
            number: 1,
            asked: Vec::new(),
        })))
    }

    fn source(&self) -> TokenSource {
        let bank = self.clone();
        let transport = service_fn(move |_: Request<Full<Bytes>>| {
            let bank = bank.clone();
            async move { Ok::<_, BoxError>(bank.answer().await) }
        });
        let dialect = Dialect::new("countdown", "https://login.example/token");
        ClientCredentialsBuilder::new(dialect, ClientId::new("id").unwrap())
            .secret(ClientSecret::new("secret"))
            .clock(Clock::tokio())
            .build(transport)
            .unwrap()
    }

    async fn answer(&self) -> Response<Full<Bytes>> {
        let half = self.0.lock().unwrap().rules.latency / 2;
        pause(half).await;
        let body = self.0.lock().unwrap().answer();
        pause(half).await;
        Response::new(Full::from(body))
    }

    /// Whether the API takes a token at this moment.
    fn takes(&self, token: &str) -> bool {
        let state = self.0.lock().unwrap();
        token == format!("token-{}", state.number)
            && Instant::now() < state.made + state.rules.lifetime
    }

    fn tokens(&self) -> u32 {
        self.0.lock().unwrap().number
    }

    fn assert_at_most_two_attempts_in_any_second(&self) {
        let asked = &self.0.lock().unwrap().asked;
        for (first, third) in asked.iter().zip(asked.iter().skip(2)) {
            assert!(third.0 - first.0 >= secs(1), "{asked:#?}");
        }
    }
}

/// A timer takes a millisecond even for nothing.
async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

impl BankState {
    fn answer(&mut self) -> String {
        let now = Instant::now();
        if now >= self.made + self.rules.lifetime + self.rules.kept {
            self.number += 1;
            self.made = now;
        }
        let age = (now - self.made).as_secs_f64();
        let left = (self.rules.rounding)(self.rules.lifetime.as_secs_f64() - age);
        self.asked.push((now, left));
        format!(
            r#"{{"access_token":"token-{}","token_type":"Bearer","expires_in":{left}}}"#,
            self.number
        )
    }
}

/// What came of ten requests a second.
#[derive(Debug, Default)]
struct Outcome {
    failed: usize,
    rejected: usize,
    longest: Duration,
}

impl Outcome {
    fn note(&mut self, bank: &Bank, asked: Instant, token: Result<IssuedToken, OAuthError>) {
        self.longest = self.longest.max(asked.elapsed());
        match token {
            Ok(token) if bank.takes(token.expose_token()) => {}
            Ok(_) => self.rejected += 1,
            Err(_) => self.failed += 1,
        }
    }
}

async fn ten_a_second(bank: &Bank, source: &TokenSource, during: Duration) -> Outcome {
    let mut outcome = Outcome::default();
    let mut waiting = JoinSet::new();
    let end = Instant::now() + during;
    let mut next = Instant::now();
    while next < end {
        sleep_until(next).await;
        next += millis(100);
        match source.token().now_or_never() {
            Some(token) => outcome.note(bank, Instant::now(), token),
            None => drop(waiting.spawn(ask(bank.clone(), source.clone()))),
        }
    }
    while let Some(one) = waiting.join_next().await {
        let one = one.unwrap();
        outcome.failed += one.failed;
        outcome.rejected += one.rejected;
        outcome.longest = outcome.longest.max(one.longest);
    }
    outcome
}

/// A request that waits, and uses its token as soon as it has it.
async fn ask(bank: Bank, source: TokenSource) -> Outcome {
    let mut outcome = Outcome::default();
    let asked = Instant::now();
    let token = source.token().await;
    outcome.note(&bank, asked, token);
    outcome
}

/// Three lives of the tokens, from the making of the first one.
async fn three_lives(rules: Rules) {
    // The requests come at any part of a second.
    for offset in (0..1000).step_by(if rules.lifetime > secs(60) { 370 } else { 91 }) {
        // The endpoint makes its first token when it is asked.
        let bank = Bank::new(rules, rules.lifetime + rules.kept);
        let source = bank.source();
        source.ready().await.unwrap();
        advance(millis(offset)).await;
        let outcome = ten_a_second(&bank, &source, 3 * rules.lifetime).await;
        assert_eq!(outcome.failed, 0, "{offset}: {outcome:?}");
        assert_eq!(outcome.rejected, 0, "{offset}: {outcome:?}");
        assert!(outcome.longest <= millis(1500), "{offset}: {outcome:?}");
        assert!(bank.tokens() >= 4, "{offset}: {}", bank.tokens());
        bank.assert_at_most_two_attempts_in_any_second();
    }
}

#[tokio::test(start_paused = true)]
async fn ten_seconds_counted_down() {
    for latency in [0, 2, 20, 100] {
        three_lives(Rules {
            latency: millis(latency),
            ..Rules::new(10)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_counted_down() {
    three_lives(Rules {
        latency: millis(2),
        ..Rules::new(3600)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn counted_down_by_other_roundings() {
    for rounding in [f64::round, f64::ceil, |left| left] {
        for (lifetime, latency) in [(10, 0), (10, 20), (30, 2), (300, 2)] {
            three_lives(Rules {
                rounding,
                latency: millis(latency),
                ..Rules::new(lifetime)
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn counted_down_below_zero() {
    // For less than a second in all, the endpoint states no life.
    for (rounding, kept) in [
        (f64::round as Rounding, 400),
        (f64::ceil, 900),
        (|left| left, 900),
    ] {
        three_lives(Rules {
            rounding,
            kept: millis(kept),
            latency: millis(2),
            ..Rules::new(10)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_kept_a_second_too_long_costs_a_longer_wait_and_no_request() {
    for offset in (0..1000).step_by(91) {
        let rules = Rules {
            kept: secs(1),
            ..Rules::new(10)
        };
        let bank = Bank::new(rules, rules.lifetime + rules.kept);
        let source = bank.source();
        source.ready().await.unwrap();
        advance(millis(offset)).await;
        let outcome = ten_a_second(&bank, &source, secs(33)).await;
        assert_eq!(outcome.failed, 0, "{offset}: {outcome:?}");
        assert_eq!(outcome.rejected, 0, "{offset}: {outcome:?}");
        assert!(outcome.longest <= secs(3), "{offset}: {outcome:?}");
        bank.assert_at_most_two_attempts_in_any_second();
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_at_any_moment_of_a_tokens_life() {
    for lifetime in [10, 3600] {
        for left in (0..6000).step_by(73).map(millis) {
            for latency in [0, 20, 100].map(millis) {
                let rules = Rules {
                    latency,
                    ..Rules::new(lifetime)
                };
                let bank = Bank::new(rules, rules.lifetime - left);
                let source = bank.source();
                let outcome = ten_a_second(&bank, &source, secs(12)).await;
                assert_eq!(outcome.failed, 0, "{left:?}: {outcome:?}");
                assert_eq!(outcome.rejected, 0, "{left:?}: {outcome:?}");
                // Where the first answer came shortly before the end, the round trips come on top.
                let bound = millis(1500) + 3 * latency;
                assert!(outcome.longest <= bound, "{left:?}: {outcome:?}");
                bank.assert_at_most_two_attempts_in_any_second();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_says_zero_for_ever_is_asked_four_times_and_then_left_alone() {
    let rules = Rules {
        rounding: |_| 0.0,
        ..Rules::new(3600)
    };
    let bank = Bank::new(rules, Duration::ZERO);
    let source = bank.source();
    let started = Instant::now();
    let error = source.token().await.unwrap_err();
    assert!(error.is_malformed());
    assert_eq!(bank.0.lock().unwrap().asked.len(), 4);
    assert!(started.elapsed() >= secs(2) && started.elapsed() <= millis(2010));
    yield_now().await;
    assert!(source.token().await.is_err(), "backing off");
    assert_eq!(bank.0.lock().unwrap().asked.len(), 4);
}
