//! The figures on standard output.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;
use tower_oauth::Status;

use crate::tally::Tally;

#[derive(Serialize)]
struct Report {
    requests: u64,
    status: BTreeMap<u16, u64>,
    errors: BTreeMap<&'static str, u64>,
    token: TokenReport,
    latency_ms: Latency,
}

#[derive(Serialize)]
struct TokenReport {
    attempts: u64,
    from_store: u64,
    fetches: u64,
    failures: u64,
    refreshes_ahead: u64,
    rejections: u64,
    retries: u64,
    generation: Option<u64>,
    expires_in_s: Option<f64>,
}

/// Milliseconds over all requests, whatever became of them.
#[derive(Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

/// Writes the one JSON object.
pub(crate) fn figures(tally: &Tally, status: &Status) -> io::Result<()> {
    let report = Report {
        requests: tally.requests(),
        status: tally.statuses.clone(),
        errors: tally
            .errors
            .iter()
            .map(|(kind, it)| (*kind, it.count))
            .collect(),
        token: token(status),
        latency_ms: latency(tally),
    };
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &report)?;
    writeln!(stdout)
}

fn token(status: &Status) -> TokenReport {
    let counters = status.counters;
    TokenReport {
        fetches: counters.fetches,
        attempts: counters.attempts,
        from_store: counters.from_store,
        failures: counters.failures,
        refreshes_ahead: counters.refreshes_ahead,
        rejections: counters.rejections,
        retries: counters.retries,
        generation: status.generation,
        expires_in_s: status.expires_in.map(|left| left.as_secs_f64()),
    }
}

fn latency(tally: &Tally) -> Latency {
    let millis = |micros: u64| micros as f64 / 1000.0;
    Latency {
        p50: millis(tally.latency.value_at_quantile(0.50)),
        p99: millis(tally.latency.value_at_quantile(0.99)),
        max: millis(tally.latency.max()),
    }
}
