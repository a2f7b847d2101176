//! What a probe finds while banks fail.

use http::StatusCode;
use serde_json::Value;
use tower_oauth::testing::{Bank, Fault};

use super::world::{World, json};

async fn probe(world: &World, route: &str) -> (StatusCode, Value) {
    let answer = world.get(route).await;
    (answer.status(), json(answer).await)
}

fn denies(bank: &Bank) {
    let denied = Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
    bank.token_fault_always(denied);
}

#[tokio::test]
async fn a_bank_that_is_down_fails_readiness_and_never_liveness() {
    let world = World::new().await;
    for route in ["/health/live", "/health/ready"] {
        let (status, health) = probe(&world, route).await;
        assert_eq!(
            (status, &health["degraded"]),
            (StatusCode::OK, &false.into())
        );
    }
    denies(&world.avista);
    world.status("/cob/x").await;
    let (status, health) = probe(&world, "/health/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(probe(&world, "/health/live").await.0, StatusCode::OK);
    let issue = &health["sources"][0]["issues"][0];
    assert_eq!(issue["kind"], "no_token");
    assert!(issue["text"].as_str().unwrap().contains("invalid_client"));
    assert!(issue["advice"].is_string() && issue["retry_at"].is_string());
    let text = health.to_string();
    assert!(!text.contains(world.avista.client_secret()), "{text}");

    world.avista.heal();
    world.upstreams.avista.source().retry_now();
    world.upstreams.avista.source().ready().await.unwrap();
    let (status, health) = probe(&world, "/health/ready").await;
    assert_eq!(
        (status, &health["degraded"]),
        (StatusCode::OK, &false.into())
    );
}

#[tokio::test]
async fn a_bank_that_the_service_can_do_without_only_degrades_it() {
    let world = World::new().await;
    denies(world.banks()[0]);
    world.status("/prices/x").await;
    let (status, health) = probe(&world, "/health/ready").await;
    assert_eq!(
        (status, &health["degraded"]),
        (StatusCode::OK, &true.into())
    );
}

#[tokio::test]
async fn a_source_that_was_shut_down_fails_liveness() {
    let world = World::new().await;
    world.upstreams.avista.source().shutdown();
    for route in ["/health/live", "/health/ready"] {
        let (status, _) = probe(&world, route).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{route}");
    }
}
