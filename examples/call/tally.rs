//! What became of the requests, in a space that does not grow with their number.

use std::{collections::BTreeMap, error::Error, time::Duration};

use hdrhistogram::Histogram;
use http::StatusCode;
use tokio::time::error::Elapsed;
use tower_oauth::{BoxError, OAuthError};

pub(crate) struct Tally {
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) errors: BTreeMap<&'static str, Failures>,
    /// In microseconds, to three digits.
    pub(crate) latency: Histogram<u64>,
    /// Whether requests were left unfinished.
    pub(crate) interrupted: bool,
}

/// Errors of one kind.
pub(crate) struct Failures {
    pub(crate) count: u64,
    /// The first of them, with its causes.
    pub(crate) example: String,
}

/// A day in microseconds: whatever takes longer counts as that.
const LONGEST: u64 = 86_400_000_000;

impl Default for Tally {
    fn default() -> Self {
        Self {
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            interrupted: false,
            latency: Histogram::new_with_max(LONGEST, 3).expect("three digits are not too many"),
        }
    }
}

impl Tally {
    pub(crate) fn note(&mut self, outcome: Result<StatusCode, BoxError>, took: Duration) {
        self.latency.saturating_record(micros(took));
        match outcome {
            Ok(status) => *self.statuses.entry(status.as_u16()).or_default() += 1,
            Err(error) => self.note_error(error.as_ref()),
        }
    }

    fn note_error(&mut self, error: &(dyn Error + 'static)) {
        let failures = self.errors.entry(kind(error)).or_insert_with(|| Failures {
            count: 0,
            example: chain(error),
        });
        failures.count += 1;
    }

    pub(crate) fn requests(&self) -> u64 {
        let errors = self.errors.values().map(|failures| failures.count);
        self.statuses.values().sum::<u64>() + errors.sum::<u64>()
    }

    /// Whether there were requests, none was left unfinished, and every one got a 2xx.
    pub(crate) fn all_good(&self) -> bool {
        let good = self.statuses.range(200..300).map(|(_, count)| count);
        let requests = self.requests();
        !self.interrupted && requests > 0 && good.sum::<u64>() == requests
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn kind(error: &(dyn Error + 'static)) -> &'static str {
    match OAuthError::find(error) {
        Some(oauth) => oauth.kind().as_str(),
        None if error.is::<Elapsed>() => "timeout",
        None => "transport",
    }
}

/// An error with all its causes.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
