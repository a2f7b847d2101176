//! What Prometheus reads.

use std::sync::LazyLock;

use axum::{Router, extract::State, routing::get};
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower_oauth::metrics;

use super::Banks;

/// From a wait for a warm token endpoint to `timeouts.acquire`.
const SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0];

/// A process has one recorder, and it is there before the first fetch.
static RECORDER: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    let durations = Matcher::Suffix("_duration_seconds".into());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, &SECONDS);
    let handle = builder.expect("there are buckets").install_recorder();
    let handle = handle.expect("nobody else has installed a recorder");
    metrics::describe();
    handle
});

pub(super) fn routes() -> Router<Banks> {
    LazyLock::force(&RECORDER);
    Router::new().route("/metrics", get(scrape))
}

async fn scrape(State(banks): State<Banks>) -> ([(http::HeaderName, &'static str); 1], String) {
    for bank in banks.all() {
        bank.source().status().record_metrics();
    }
    RECORDER.run_upkeep();
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4")],
        RECORDER.render(),
    )
}
