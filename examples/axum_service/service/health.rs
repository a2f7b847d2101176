//! Probes, for whoever restarts the service and for whoever sends it requests.

use axum::{Json, Router, extract::State, routing::get};
use http::StatusCode;
use tower_oauth::Health;

use super::Banks;

pub(super) fn routes() -> Router<Banks> {
    Router::new()
        .route("/health", get(alive))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
}

/// Whether this process answers.
async fn alive() -> &'static str {
    "alive"
}

/// 503 if only a restart helps. A bank that is down is no reason to restart the service.
async fn live(State(banks): State<Banks>) -> (StatusCode, Json<Health>) {
    let health = health(&banks);
    (health.live_status(), Json(health))
}

/// 503 while requests should go to another replica.
async fn ready(State(banks): State<Banks>) -> (StatusCode, Json<Health>) {
    let health = health(&banks);
    (health.ready_status(), Json(health))
}

/// Charges are what this service is for. Without the other banks it is degraded, and still of use.
fn health(banks: &Banks) -> Health {
    let others = [&banks.anbima, &banks.conta_simples, &banks.bankly];
    Health::of([banks.avista.source()]).with_optional(others.map(|bank| bank.source()))
}
