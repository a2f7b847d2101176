//! A model of a bank: what its token endpoint is up to, and which tokens its API takes.

use std::time::Duration;

use fastrand::Rng;
use tower_oauth::FailureClass;

use crate::{
    record::Nanos,
    scenario::{Scenario, one_in, secs, within},
    world::nanos,
};

pub(crate) struct Bank {
    rng: Rng,
    pub(crate) mood: Mood,
    lifetime: Duration,
    default_lifetime: Duration,
    attempt_timeout: Duration,
    repeats: f64,
    /// The tokens it has handed out; `token-1` is the first.
    tokens: Vec<Issue>,
}

#[derive(Clone, Copy, Debug)]
struct Issue {
    true_until: Nanos,
    revoked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// About every third answer is a fault.
    Moody,
    Down(TransportError),
    /// Well, quick and honest: the faults are over.
    Calm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransportError {
    Slow,
    Hang,
    Transient,
    RetryAfter,
    Permanent,
    Unclear,
    Panic,
    Empty,
    DeadOnArrival,
    RevokedOnArrival,
}

const FAULTS: [TransportError; 10] = [
    TransportError::Slow,
    TransportError::Hang,
    TransportError::Transient,
    TransportError::RetryAfter,
    TransportError::Permanent,
    TransportError::Unclear,
    TransportError::Panic,
    TransportError::Empty,
    TransportError::DeadOnArrival,
    TransportError::RevokedOnArrival,
];

/// How an answer states the token's life.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    For,
    Until,
    Unstated,
    /// A fetcher that keeps tokens: this one is of some age.
    Aged(Duration),
}

/// What the endpoint is going to say, and after how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) latency: Duration,
    pub(crate) answer: Answer,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Token {
        lifetime: Duration,
        form: Form,
        revoked: bool,
    },
    Repeat,
    Empty,
    Fail(FailureClass, Option<Duration>),
    Panic,
    Hang,
}

impl Bank {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            rng: Rng::with_seed(scenario.seed ^ 0xba4c),
            mood: Mood::Well,
            lifetime: scenario.lifetime,
            default_lifetime: scenario.policy.lifetime.default,
            attempt_timeout: scenario.policy.timeouts.attempt,
            repeats: scenario.repeats,
            tokens: Vec::new(),
        }
    }

    pub(crate) fn change_mood(&mut self) {
        self.mood = match self.rng.u32(0..6) {
            0..3 => Mood::Well,
            3 => Mood::Moody,
            _ => Mood::Down(self.fault()),
        };
    }

    pub(crate) fn plan(&mut self) -> Plan {
        match self.mood {
            Mood::Down(fault) => self.with_fault(fault),
            Mood::Moody if one_in(&mut self.rng, 3) => {
                let fault = self.fault();
                self.with_fault(fault)
            }
            Mood::Well | Mood::Moody => self.well(0.05),
            Mood::Calm => self.calm(),
        }
    }

    /// A new token, which the API takes for that long from now on.
    pub(crate) fn issue(&mut self, true_until: Nanos, revoked: bool) -> u64 {
        self.tokens.push(Issue {
            true_until,
            revoked,
        });
        self.tokens.len() as u64
    }

    /// The token handed out last, and until when the API takes it.
    pub(crate) fn last(&self) -> Option<(u64, Nanos)> {
        let last = self.tokens.last()?;
        Some((self.tokens.len() as u64, last.true_until))
    }

    pub(crate) fn revoke_all(&mut self) {
        for token in &mut self.tokens {
            token.revoked = true;
        }
    }

    pub(crate) fn takes(&self, serial: u64, truth: Nanos) -> bool {
        let token = self.tokens[serial as usize - 1];
        !token.revoked && truth < token.true_until
    }

    pub(crate) fn default_lifetime(&self) -> Duration {
        self.default_lifetime
    }

    fn fault(&mut self) -> TransportError {
        FAULTS[self.rng.usize(..FAULTS.len())]
    }

    fn well(&mut self, slowest: f64) -> Plan {
        let latency = within(&mut self.rng, 0.0, slowest);
        let repeats = self.rng.f64() < self.repeats && self.last().is_some();
        let answer = match repeats {
            true => Answer::Repeat,
            false => self.token(),
        };
        Plan { latency, answer }
    }

    fn token(&mut self) -> Answer {
        let spread = 0.5 + self.rng.f64();
        let lifetime = match one_in(&mut self.rng, 4) {
            true => whole_millis(self.lifetime.mul_f64(spread)),
            false => self.lifetime,
        };
        let form = match self.rng.u32(0..8) {
            0 => Form::Until,
            1 => Form::Unstated,
            2 => Form::Aged(whole_millis(lifetime.mul_f64(0.8 * self.rng.f64()))),
            _ => Form::For,
        };
        Answer::Token {
            lifetime,
            form,
            revoked: false,
        }
    }

    fn calm(&mut self) -> Plan {
        let answer = Answer::Token {
            lifetime: self.lifetime,
            form: Form::For,
            revoked: false,
        };
        let latency = nanos(self.lifetime.min(self.attempt_timeout) / 4);
        let latency = within(&mut self.rng, 0.0, (latency as f64 / 1e9).min(0.05));
        Plan { latency, answer }
    }

    fn with_fault(&mut self, fault: TransportError) -> Plan {
        let longest = self.attempt_timeout.as_secs_f64();
        let failing = |class| Answer::Fail(class, None);
        let answer = match fault {
            TransportError::Slow => return self.well(1.3 * longest),
            TransportError::Hang => Answer::Hang,
            TransportError::Transient => failing(FailureClass::Transient),
            TransportError::Permanent => failing(FailureClass::Permanent),
            TransportError::Unclear => failing(FailureClass::Unclear),
            TransportError::RetryAfter => {
                let wait = if self.rng.bool() { 5.0 } else { 600.0 };
                let wait = within(&mut self.rng, 0.0, wait);
                Answer::Fail(FailureClass::Transient, Some(wait))
            }
            TransportError::Panic => Answer::Panic,
            TransportError::Empty => Answer::Empty,
            TransportError::DeadOnArrival => Answer::Token {
                lifetime: Duration::ZERO,
                form: Form::For,
                revoked: false,
            },
            TransportError::RevokedOnArrival => Answer::Token {
                lifetime: self.lifetime,
                form: Form::For,
                revoked: true,
            },
        };
        let latency = within(&mut self.rng, 0.0, 0.5 * longest).min(secs(1.0));
        Plan { latency, answer }
    }
}

fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap())
}
