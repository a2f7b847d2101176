//! The callers, each with its own patience.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use http::{Method, Request, Response};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;
use tower_oauth::{BoxError, Generation, OAuthError, TokenSource};

use crate::{
    api::{Stacks, TOKEN_IS_BAD, UNPLANNED, number_of},
    record::{Caller, Mode, Outcome, Wish},
    scenario::{Scenario, one_in, within},
    world::World,
};

/// Longer than any bound of the policy's.
const FOR_EVER: Duration = Duration::from_secs(10 * 24 * 3600);

/// A part of a service that calls the bank: it holds the source, through its stacks too.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) world: World,
    pub(crate) source: TokenSource,
    pub(crate) stacks: Stacks,
}

impl Client {
    /// Calls at irregular times until it has called often enough.
    pub(crate) async fn run(self, mut rng: Rng) {
        let scenario = self.world.scenario.clone();
        for _ in 0..scenario.calls {
            let burst = if one_in(&mut rng, 8) {
                rng.usize(2..12)
            } else {
                1
            };
            let calls = (0..burst).map(|_| self.call(rng.fork()));
            join_all(calls).await;
            sleep(pause(&mut rng, &scenario)).await;
        }
    }

    async fn call(&self, mut rng: Rng) {
        let wish = wish(&mut rng);
        let unplanned = rng.f64() < self.world.scenario.unplanned;
        let patience = one_in(&mut rng, 4).then(|| within(&mut rng, 0.0, 1.0));
        self.grant(wish, unplanned, patience).await;
    }

    /// Makes one wish, and records what comes of it.
    pub(crate) async fn grant(
        &self,
        wish: Wish,
        unplanned: bool,
        patience: Option<Duration>,
    ) -> Outcome {
        let number = self.begin(wish.clone());
        let bound = patience.unwrap_or(FOR_EVER);
        let outcome = match timeout(bound, self.outcome(number, wish, unplanned)).await {
            Ok(outcome) => outcome,
            Err(_) if patience.is_some() => Outcome::Cancelled,
            Err(_) => Outcome::Hung,
        };
        self.world.at(|seen, at| {
            seen.record.callers[number].end = Some((at, outcome));
        });
        outcome
    }

    fn begin(&self, wish: Wish) -> usize {
        self.world.at(|seen, at| {
            seen.record.callers.push(Caller {
                wish,
                at,
                arrivals: Vec::new(),
                end: None,
            });
            seen.record.callers.len() - 1
        })
    }

    async fn outcome(&self, number: usize, wish: Wish, unplanned: bool) -> Outcome {
        let Wish::Request { method, mode } = wish else {
            return self.token().await;
        };
        let path = if unplanned { UNPLANNED } else { "/" };
        let request = Request::builder()
            .method(method)
            .uri(format!("https://api.example{path}"))
            .body(number)
            .unwrap();
        match self.stacks.by(mode).oneshot(request).await {
            Ok(response) => self.read(number, &response),
            Err(error) => rejected(&error),
        }
    }

    async fn token(&self) -> Outcome {
        match self.source.token().await {
            Ok(token) => Outcome::Token {
                serial: number_of(token.expose_token()),
                generation: token.generation().get(),
            },
            Err(error) => Outcome::Rejected {
                kind: error.kind().as_str(),
            },
        }
    }

    fn read(&self, number: usize, response: &Response<()>) -> Outcome {
        let generation = response.extensions().get::<Generation>().copied();
        if let Some(generation) = generation
            && response.headers().contains_key(TOKEN_IS_BAD)
        {
            self.world.at(|seen, at| {
                let arrivals = &seen.record.callers[number].arrivals;
                let serial = arrivals.last().unwrap().serial;
                seen.record.invalidated.push((at, serial));
            });
            self.source.invalidate(generation);
        }
        Outcome::Response {
            status: response.status().as_u16(),
            generation: generation.map(Generation::get),
        }
    }
}

fn wish(rng: &mut Rng) -> Wish {
    if one_in(rng, 4) {
        return Wish::Token;
    }
    let mode = match rng.u32(0..4) {
        0 => Mode::Plain,
        1 => Mode::RetryAnyMethod,
        _ => Mode::RetryRejected,
    };
    let method = match rng.bool() {
        true => Method::GET,
        false => Method::POST,
    };
    Wish::Request { method, mode }
}

fn rejected(error: &BoxError) -> Outcome {
    match OAuthError::find(error.as_ref()) {
        Some(error) => Outcome::Rejected {
            kind: error.kind().as_str(),
        },
        None => Outcome::Broken,
    }
}

/// Mostly short, now and then long: traffic comes in fits.
fn pause(rng: &mut Rng, scenario: &Scenario) -> Duration {
    let part = [0.0, 0.001, 0.01, 0.1, 1.0, 2.0][rng.usize(..6)];
    let pause = scenario.pause.mul_f64(part * 2.0 * rng.f64());
    match one_in(rng, 3) {
        true => pause.min(within(rng, 0.0, 2.0)),
        false => pause,
    }
}
