//! The numbers one by one and against each other.

use std::{fmt, time::Duration};

use super::{Policy, groups::SUSPENDED_WAIT};
use crate::error::ConfigError;

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

impl Policy {
    /// Checks the numbers one by one and against each other.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.check_bounds()?;
        self.check_lifetimes()?;
        self.check_back_offs()
    }

    fn check_bounds(&self) -> Result<(), ConfigError> {
        rule(
            "retry.attempts",
            &self.retry.attempts,
            self.retry.attempts > 0,
            "must be at least 1",
        )?;
        rule(
            "timeouts.attempt",
            &self.timeouts.attempt,
            !self.timeouts.attempt.is_zero(),
            "must be above zero",
        )?;
        rule(
            "timeouts.fetch",
            &self.timeouts.fetch,
            self.timeouts.fetch >= self.timeouts.attempt,
            "must be at least `timeouts.attempt`",
        )?;
        rule(
            "timeouts.acquire",
            &self.timeouts.acquire,
            self.timeouts.acquire
                > self
                    .timeouts
                    .fetch
                    .saturating_add(self.back_off.min_fetch_interval),
            "must exceed `timeouts.fetch` and `back_off.min_fetch_interval` together",
        )?;
        rule(
            "rejection.suspended_wait",
            &self.rejection.suspended_wait,
            // A user who shortens only `timeouts.acquire` must not get an error about a default.
            self.rejection.suspended_wait <= self.timeouts.acquire.max(SUSPENDED_WAIT),
            "must be at most `timeouts.acquire`",
        )?;
        rule(
            "retry.max_retry_after_in_fetch",
            &self.retry.max_retry_after_in_fetch,
            self.retry.max_retry_after_in_fetch < self.timeouts.fetch,
            "must be below `timeouts.fetch`",
        )?;
        rule(
            "retry.max_retry_after",
            &self.retry.max_retry_after,
            self.retry.max_retry_after >= self.retry.max_retry_after_in_fetch
                && self.retry.max_retry_after <= DAY,
            "must be at least `retry.max_retry_after_in_fetch` and at most a day",
        )?;
        rule(
            "back_off.min_fetch_interval",
            &self.back_off.min_fetch_interval,
            self.back_off.min_fetch_interval >= Duration::from_millis(1),
            "must be at least a millisecond",
        )?;
        rule(
            "rejection.refill",
            &self.rejection.refill,
            !self.rejection.refill.is_zero(),
            "must be above zero",
        )
    }

    fn check_lifetimes(&self) -> Result<(), ConfigError> {
        self.refresh
            .margin
            .check("refresh.margin", Some(self.lifetime.max))?;
        rule(
            "lifetime.max",
            &self.lifetime.max,
            self.lifetime.max <= 366 * DAY,
            "must be at most 366 days",
        )?;
        rule(
            "lifetime.default",
            &self.lifetime.default,
            !self.lifetime.default.is_zero() && self.lifetime.default <= self.lifetime.max,
            "must be above zero and at most `lifetime.max`",
        )?;
        rule(
            "refresh.jitter",
            &self.refresh.jitter,
            (0.0..=0.5).contains(&self.refresh.jitter),
            "must be from 0 to 0.5",
        )
    }

    fn check_back_offs(&self) -> Result<(), ConfigError> {
        let back_offs = [
            ("back_off.transient", self.back_off.transient),
            ("back_off.unclear", self.back_off.unclear),
            ("back_off.permanent", self.back_off.permanent),
            ("rejection.suspicion", self.rejection.suspicion),
        ];
        back_offs.into_iter().try_for_each(|(field, it)| {
            rule(
                field,
                &it,
                !it.first.is_zero() && it.first <= it.max && it.max <= DAY,
                "must start above zero, and end at or above its start and within a day",
            )
        })
    }
}

fn rule(
    field: &'static str,
    given: &dyn fmt::Debug,
    holds: bool,
    rule: &'static str,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError::new(field, rule).given_value(&format_args!("{given:?}")))
}
