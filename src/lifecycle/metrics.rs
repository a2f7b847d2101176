//! What the lifecycle tells the metrics facade. Never under a lock: a recorder is the user's code.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, SystemTime},
};

use metrics::{counter, gauge, histogram};

use super::{
    cell::Issued,
    clock::Now,
    core::{Core, Installed},
    endpoint::TokenEndpointStatus,
    status::Status,
};
use crate::{
    error::OAuthError,
    metrics as names,
    rejection::Rejection,
    token::{FetchCause, ObtainedFrom},
};

impl Core {
    fn provider(&self) -> String {
        let name = self.config.metrics_name.as_ref();
        name.unwrap_or(&self.config.name).to_string()
    }
}

pub(super) fn fetched(
    core: &Core,
    cause: FetchCause,
    attempts: u32,
    installed: &Installed,
    took: Duration,
) {
    let outcome = match (installed.repeated, obtained_from(&installed.issued)) {
        (_, ObtainedFrom::Store) => "from_store",
        (true, _) => "repeated",
        (false, _) => "new",
    };
    fetch_ended(core, cause, attempts, (outcome, "none"), took);
}

fn obtained_from(issued: &Issued) -> ObtainedFrom {
    issued.token.obtained_from()
}

pub(super) fn fetch_failed(
    core: &Core,
    cause: FetchCause,
    attempts: u32,
    error: &OAuthError,
    took: Duration,
) {
    let outcome = match error.is_held_back() {
        true => "held_back",
        false => "failed",
    };
    let class = error.class().map_or("none", |class| class.as_str());
    fetch_ended(core, cause, attempts, (outcome, class), took);
}

fn fetch_ended(
    core: &Core,
    cause: FetchCause,
    attempts: u32,
    (outcome, class): (&'static str, &'static str),
    took: Duration,
) {
    quietly(|| {
        let provider = core.provider();
        counter!(
            names::FETCHES,
            "provider" => provider.clone(), "cause" => cause.as_str(), "outcome" => outcome, "class" => class,
        )
        .increment(1);
        counter!(names::ATTEMPTS, "provider" => provider.clone()).increment(attempts.into());
        histogram!(names::FETCH_DURATION, "provider" => provider, "outcome" => outcome)
            .record(took);
    });
}

/// A request has waited for a token.
pub(super) fn waited(core: &Core, since: Now, got_one: bool) {
    let took = core.now().monotonic.saturating_sub(since.monotonic);
    let outcome = if got_one { "token" } else { "error" };
    quietly(|| {
        histogram!(names::WAIT, "provider" => core.provider(), "outcome" => outcome).record(took);
    });
}

pub(super) fn rejected(core: &Core, rejection: Rejection) {
    let rejection = match rejection {
        Rejection::Definite => "definite",
        Rejection::Ambiguous => "ambiguous",
    };
    quietly(|| {
        counter!(names::REJECTIONS, "provider" => core.provider(), "rejection" => rejection)
            .increment(1);
    });
}

pub(super) fn retried(core: &Core) {
    quietly(|| counter!(names::RETRIES, "provider" => core.provider()).increment(1));
}

/// A recorder that panics costs its value, not the request.
fn quietly(record: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(record));
}

impl Status {
    /// Sets the gauges of this source to what the status shows, and the counters of the shared store. Feature
    /// `metrics`.
    ///
    /// Call it for each source before each scrape. Give each source a name of its own: of two with one name the last
    /// one counts. Do not call it for the sources of a pool, which `PoolStatus::record_metrics` (feature `pool`) shows
    /// together.
    ///
    /// # Examples
    ///
    /// See [`metrics`](crate::metrics).
    pub fn record_metrics(&self) {
        let provider = || match &self.metrics_name {
            Some(name) => name.to_string(),
            None => self.name.clone(),
        };
        let set = |name, value: f64| gauge!(name, "provider" => provider()).set(value);
        let left = self.retry_at.and_then(|at| at.duration_since(self.at).ok());
        let age = self
            .issued_at
            .and_then(|at| self.at.duration_since(at).ok());
        let failures = self.last_failure.as_ref().map_or(0, |it| it.consecutive);
        set(names::USABLE, u8::from(self.state.is_usable()).into());
        set(names::EXPIRY, secs(self.expires_in));
        set(names::AGE, secs(age));
        set(names::BACK_OFF, secs(left));
        set(names::FAILURES, failures.into());
        if let Some(certificate) = &self.certificate {
            set(
                names::CERTIFICATE_EXPIRY,
                until(certificate.not_after, self.at),
            );
        }
        if let Some(sharing) = &self.sharing {
            set(names::STORE_BYPASSED, u8::from(sharing.bypassed).into());
            let count = |name, value| counter!(name, "provider" => provider()).absolute(value);
            count(names::STORE_BYPASSES, sharing.bypasses);
            count(names::STORE_FAILURES, sharing.store_failures);
            count(names::STORE_LEASES, sharing.leases);
        }
    }
}

impl TokenEndpointStatus {
    /// Sets the metrics of this endpoint to what the status shows. Feature `metrics`. Call it before each scrape. Of two
    /// endpoints with one name the last one counts.
    ///
    /// # Examples
    ///
    /// ```
    /// let endpoint = tower_oauth::TokenEndpoint::builder("efi").build()?;
    /// endpoint.status().record_metrics();
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn record_metrics(&self) {
        let endpoint = || self.name.clone();
        let set = |name, value: f64| gauge!(name, "endpoint" => endpoint()).set(value);
        let count = |name, value| counter!(name, "endpoint" => endpoint()).absolute(value);
        set(names::ENDPOINT_WAITING, self.waiting as f64);
        set(names::ENDPOINT_UNDER_WAY, self.under_way as f64);
        set(names::ENDPOINT_PAUSE, secs(self.pause_left));
        count(names::ENDPOINT_ATTEMPTS, self.attempts);
        count(names::ENDPOINT_PAUSES, self.pauses);
    }
}

fn secs(duration: Option<Duration>) -> f64 {
    duration.unwrap_or_default().as_secs_f64()
}

/// Negative once it has passed.
fn until(at: SystemTime, now: SystemTime) -> f64 {
    match at.duration_since(now) {
        Ok(left) => left.as_secs_f64(),
        Err(passed) => -passed.duration().as_secs_f64(),
    }
}
