//! What is said at the end: figures on standard output, advice on standard error.

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
    fetches: u64,
    failures: u64,
    refreshes_ahead: u64,
    rejections: u64,
    replays: u64,
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
        failures: counters.failures,
        refreshes_ahead: counters.refreshes_ahead,
        rejections: counters.rejections,
        replays: counters.replays,
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

/// Says what went wrong, and what to look at.
pub(crate) fn advice(tally: &Tally) {
    for (kind, failures) in &tally.errors {
        let (count, example) = (failures.count, &failures.example);
        eprintln!("call: {count} x {kind}: {example}\n      {}", remedy(kind));
    }
    for (status, count) in &tally.statuses {
        if !(200..300).contains(status) {
            eprintln!("call: {count} x HTTP {status}: {}", meaning(*status));
        }
    }
}

fn remedy(kind: &str) -> &'static str {
    match kind {
        "denied" => {
            "Check --client-id, OAUTH_CLIENT_SECRET and --scope, that they belong to this --env, and with --dialect its credentials, body, grant and token_params."
        }
        "malformed" => {
            "Check that --token-url is the token endpoint, and that the provider or dialect is the right one."
        }
        "timeout" => "Check that the hosts answer; --timeout sets how long one request may take.",
        "transport" | "unavailable" => {
            "Check the addresses and the network; for https --cacert, --cert and --key."
        }
        _ => "Run it again; if it stays, the message above is what to report.",
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 => {
            "the API does not take the token; check that token endpoint and API are of the same environment, and with --dialect its headers."
        }
        403 => {
            "the token does not open this address; check --scope, and what was agreed with the provider."
        }
        404 | 405 => "the API knows no such address or method; check the URL and --method.",
        429 => "too many requests; lower --rate or -c.",
        500..=599 => "the API is in trouble; try again later.",
        300..=399 => "redirects are not followed; call the final address.",
        _ => "see the API's documentation; a single request (without -n) shows the answer.",
    }
}
