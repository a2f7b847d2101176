use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    Shared, TokenEndpoint,
    state::{Limits, Rate, State},
};
use crate::{error::ConfigError, lifecycle::clock::Clock, text::check_name};

/// As long as [`Policy`](crate::Policy) lets a server make a client wait.
const LONGEST_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// The end of each attempt within a period is remembered.
const MOST_IN_A_PERIOD: u32 = 100_000;

/// Builds a [`TokenEndpoint`]. [`TokenEndpoint::builder`] returns it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::TokenEndpoint;
///
/// let error = TokenEndpoint::builder("inter").rate(0, Duration::from_secs(60)).build().unwrap_err();
/// assert_eq!(error.to_string(), "inter: invalid `rate` 0 in 60s: must be 1 to 100000 in a period of at most a day");
/// ```
#[derive(Debug)]
#[must_use]
pub struct TokenEndpointBuilder {
    name: String,
    rate: Option<(u32, Duration)>,
    concurrency: u32,
    clock: Clock,
    rng: fastrand::Rng,
}

impl TokenEndpointBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            rate: None,
            concurrency: 16,
            clock: Clock::system(),
            rng: fastrand::Rng::new(),
        }
    }

    /// Sets how many attempts the endpoint gets in any period of this length. Default: no limit.
    ///
    /// An attempt counts from its start until a period after its end, because it may reach the endpoint at any moment
    /// between the two. One that a store answered (feature `redis`) does not count.
    pub fn rate(mut self, attempts: u32, period: Duration) -> Self {
        self.rate = Some((attempts, period));
        self
    }

    /// Sets how many attempts may be under way at the same time. Default: 16. After a pause it is one at first, and one
    /// more with each answer.
    pub fn concurrency(mut self, attempts: u32) -> Self {
        self.concurrency = attempts;
        self
    }

    /// Sets the clock. Default: [`Clock::system`]. Give it the clock of its sources: tests with paused time use
    /// [`Clock::tokio`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the random part of the pauses repeatable, for simulations.
    ///
    /// Do not use it in production: replicas with one seed return at the same moment.
    pub fn seed(mut self, seed: u64) -> Self {
        self.rng = fastrand::Rng::with_seed(seed);
        self
    }

    /// Builds the endpoint.
    ///
    /// # Errors
    ///
    /// Returns the first setting that cannot work: a name that is empty or contains an invisible character, a rate or a
    /// concurrency of zero, a period of zero or of more than a day.
    pub fn build(self) -> Result<TokenEndpoint, ConfigError> {
        let limits = self.limits().map_err(|error| error.of(&self.name))?;
        Ok(TokenEndpoint(Arc::new(Shared {
            name: self.name,
            clock: self.clock,
            state: Mutex::new(State::new(limits, self.rng)),
        })))
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        check_name(&self.name)?;
        if self.concurrency == 0 {
            return Err(ConfigError::new("concurrency", "must be at least 1").given_value(&0));
        }
        Ok(Limits {
            concurrency: self.concurrency as usize,
            rate: self.rate.map(checked).transpose()?,
        })
    }
}

fn checked((attempts, period): (u32, Duration)) -> Result<Rate, ConfigError> {
    let is_possible =
        (1..=MOST_IN_A_PERIOD).contains(&attempts) && !period.is_zero() && period <= LONGEST_PERIOD;
    if !is_possible {
        let rule = "must be 1 to 100000 in a period of at most a day";
        return Err(
            ConfigError::new("rate", rule).given_value(&format_args!("{attempts} in {period:?}"))
        );
    }
    Ok(Rate {
        attempts: attempts as usize,
        period,
    })
}
