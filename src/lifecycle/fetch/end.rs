//! Ends a fetch: with a token, or with an error and a back-off.

use std::time::Duration;

use super::{
    Outcome,
    drivers::Driver,
    task::{Failure, FetchTask},
};
#[cfg(feature = "metrics")]
use crate::lifecycle::metrics;
use crate::{
    error::{BoxError, OAuthError, Reason},
    lifecycle::{
        clock::Now, credential, prepared::PreparedToken, status::AtomicCounters, telemetry,
    },
    token::ObtainedFrom,
};

impl FetchTask {
    pub(super) fn finish(
        &mut self,
        driver: &Driver,
        result: Result<PreparedToken, Failure>,
        started: Now,
    ) {
        match result {
            Ok(prepared) => self.succeed(driver, prepared, started),
            Err(failure) => self.fail(driver, failure, started),
        }
    }

    /// Waiters are notified before the user's subscriber, which may panic.
    pub(super) fn tell(&self, outcome: Outcome) {
        self.fetch.finish(outcome);
        self.core.announce();
    }

    fn succeed(&self, driver: &Driver, prepared: PreparedToken, started: Now) {
        let lifetime = prepared.lifetime();
        let Some(installed) = self.core.install(prepared, driver) else {
            return;
        };
        let attempts = self.progress.attempts;
        AtomicCounters::add(&self.core.counters.failures, attempts - 1);
        if installed.issued.token.obtained_from() == ObtainedFrom::Store {
            AtomicCounters::count(&self.core.counters.from_store);
        }
        self.tell(Outcome::Succeeded);
        let took = self.took(started);
        #[cfg(feature = "metrics")]
        metrics::fetched(&self.core, self.fetch.cause, attempts, &installed, took);
        telemetry::fetched(attempts, &installed, lifetime, took);
    }

    fn fail(&self, driver: &Driver, failure: Failure, started: Now) {
        let attempts = self.progress.attempts;
        let error = match failure {
            Failure::Replaced => None,
            Failure::Closed(source) => self.close(driver, source),
            Failure::Fetch(error) => self.back_off(driver, Reason::Fetch { error, attempts }),
            Failure::Panicked => self.back_off(driver, Reason::FetcherPanicked(attempts)),
        };
        let Some(error) = error else { return };
        // Including an attempt that the fetch's bound cut short, or that panicked.
        AtomicCounters::add(&self.core.counters.failures, attempts);
        self.tell(Outcome::Failed(error.clone()));
        let took = self.took(started);
        #[cfg(feature = "metrics")]
        metrics::fetch_failed(&self.core, self.fetch.cause, attempts, &error, took);
        match error.is_held_back() {
            true => telemetry::held_back(&error),
            false => telemetry::fetch_failed(&error, took),
        }
    }

    fn close(&self, driver: &Driver, source: BoxError) -> Option<OAuthError> {
        let core = &self.core;
        let error = core.error(Reason::FetcherClosed(source));
        let now = core.now();
        core.step(|state| {
            state.driven_by(driver)?;
            state.fetcher_closed(now, error.clone());
            core.restore();
            Some(())
        })?;
        // Without the lock: dropping it runs the user's code. A driver that is stuck inside the fetcher keeps it.
        let closed = core.fetcher.try_lock().and_then(|mut place| place.take());
        drop(closed);
        Some(error)
    }

    /// Ends the fetch and starts the back-off in one step. No other fetch can start in between, and no newer token can
    /// be suspended, which would then be restored in place of the token that this fetch was for.
    fn back_off(&self, driver: &Driver, reason: Reason) -> Option<OAuthError> {
        let core = &self.core;
        let is_denial = reason.is_denial();
        let now = core.now();
        let (error, until) = core.step(|state| {
            state.driven_by(driver)?;
            let wait = state.failed(&reason, &core.config.policy);
            let error = core.failure(reason, now, wait);
            let until = state.back_off(now, wait, error.clone());
            core.restore();
            Some((error, until))
        })?;
        if is_denial {
            credential::watch(core, until);
        }
        Some(error)
    }

    fn took(&self, started: Now) -> Duration {
        self.core.now().monotonic.saturating_sub(started.monotonic)
    }
}
