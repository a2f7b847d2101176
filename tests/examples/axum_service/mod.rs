//! The axum example itself, over sockets, with banks that go down and come back.

mod credentials;
mod health;
mod metrics;
mod page;
#[path = "../../../examples/axum_service/service/mod.rs"]
mod service;
mod world;

use std::time::Duration;

use futures_util::future::join_all;
use http::{StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use tower_oauth::testing::Fault;

use self::world::{World, json};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);
const ROUTES: [&str; 4] = ["/prices/x", "/cob/x", "/statements/x", "/accounts/x"];

#[tokio::test]
async fn each_route_hands_on_its_banks_answer() {
    let world = World::new().await;
    let expected = [
        "/feed/precos-indices/v1/x/mercado-secundario",
        "/cob/x",
        "/statements/v1/credit-card/x",
        "/accounts/x",
    ];
    for (route, path) in ROUTES.iter().zip(expected) {
        let answer = world.get(route).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(json(answer).await["path"], path);
    }
}

#[tokio::test]
async fn handlers_share_one_token_per_bank() {
    let world = World::new().await;
    let statuses = join_all((0..40).map(|number| world.status(ROUTES[number % 4]))).await;
    assert_eq!(statuses, [StatusCode::OK; 40]);
    for bank in world.banks() {
        let counters = bank.counters();
        assert_eq!(
            (counters.token_requests, counters.api_ok),
            (1, 10),
            "{}",
            bank.name()
        );
    }
}

#[tokio::test]
async fn what_is_no_id_reaches_no_bank() {
    let world = World::new().await;
    let too_long = format!("/cob/{}", "x".repeat(65));
    for path in [
        "/cob/%2e%2e%2foauth",
        "/cob/..%2f",
        "/cob/a%3Fb",
        "/cob/%C3%A9",
        &too_long,
    ] {
        assert_eq!(world.status(path).await, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(world.avista.counters(), Default::default());
}

#[tokio::test]
async fn a_token_endpoint_goes_down_and_comes_back() {
    let world = World::with(LONG, |policy| {
        policy.retry.attempts = 1;
        policy.back_off.transient.first = SHORT;
        policy.back_off.transient.max = SHORT;
    })
    .await;
    let down = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    world.avista.token_fault_always(down);
    let failure = world.get("/cob/x").await;
    assert_eq!(failure.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(failure.headers().contains_key(RETRY_AFTER));
    world.assert_others_serve().await;

    world.avista.heal();
    world.upstreams.avista.source().ready().await.unwrap();
    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
    let status = world.avista_status().await;
    assert_eq!(status["state"], "fresh");
    assert_eq!(status["error"], Value::Null);
}

#[tokio::test]
async fn callers_and_operators_see_when_to_try_again() {
    let world = World::new().await;
    let busy = Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "30");
    world.avista.token_fault_always(busy);
    let failure = world.get("/cob/x").await;
    assert_eq!(failure.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait: u64 = failure.headers()[RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((25..=34).contains(&wait), "{wait}");
    let status = world.avista_status().await;
    assert_eq!(status["state"], "missing");
    assert!(status["error"].as_str().unwrap().contains("429"));
    assert!(status["retry_at"].is_string());
    world.assert_others_serve().await;

    world.avista.heal();
    world.upstreams.avista.source().retry_now();
    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
}

#[tokio::test]
async fn an_api_goes_down_and_comes_back() {
    let world = World::new().await;
    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
    world.avista.api_fault_always(Fault::Reset);
    let failure = world.get("/cob/x").await;
    assert_eq!(failure.status(), StatusCode::BAD_GATEWAY);
    let expected = json!({ "bank": "avista", "error": "unreachable" });
    assert_eq!(json(failure).await, expected);
    world.assert_others_serve().await;
    world.avista.heal();
    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
}

#[tokio::test]
async fn what_the_caller_cannot_help_is_not_handed_on_as_it_came() {
    let world = World::new().await;
    for (fault, expected, retry_after) in [
        (Fault::status(StatusCode::NOT_FOUND), 404, None),
        (Fault::status(StatusCode::FORBIDDEN), 502, None),
        (Fault::status(StatusCode::INTERNAL_SERVER_ERROR), 502, None),
        (
            Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "7"),
            503,
            Some("7"),
        ),
    ] {
        world.avista.api_faults([fault]);
        let answer = world.get("/cob/x").await;
        let wait = answer.headers().get(RETRY_AFTER);
        let wait = wait.map(|it| it.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), wait), (expected, retry_after));
    }
}

#[tokio::test]
async fn an_api_that_hangs_is_a_504() {
    let world = World::with(SHORT, |_| {}).await;
    world.upstreams.avista.source().ready().await.unwrap();
    world.avista.api_fault_always(Fault::Hang);
    let failure = world.get("/cob/x").await;
    assert_eq!(failure.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(json(failure).await["error"], "timeout");
}

#[tokio::test]
async fn a_token_endpoint_that_hangs_is_a_504() {
    let world = World::with(LONG, |policy| {
        policy.retry.attempts = 1;
        policy.timeouts.attempt = SHORT;
    })
    .await;
    world.avista.token_fault_always(Fault::Hang);
    assert_eq!(world.status("/cob/x").await, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn rejected_credentials_are_our_own_fault_and_are_not_shown() {
    let world = World::new().await;
    let rejected = Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
    world.avista.token_fault_always(rejected);
    let failure = world.get("/cob/x").await;
    assert_eq!(failure.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!failure.headers().contains_key(RETRY_AFTER));
    let expected = json!({ "bank": "avista", "error": "denied" });
    assert_eq!(json(failure).await, expected);
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_service_stops() {
    let world = World::new().await;
    world.avista.api_faults([Fault::Delay(4 * SHORT)]);
    let stop = async {
        world.avista.wait_for(|it| it.api_requests == 1).await;
        world.stop.send(()).unwrap();
        world.serving.await.unwrap().unwrap();
        Ok(())
    };
    let request = world.client.get(format!("{}/cob/x", world.base)).send();
    let (answer, ()) = tokio::try_join!(request, stop).unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(
        world
            .upstreams
            .bankly
            .source()
            .token()
            .await
            .unwrap_err()
            .is_closed()
    );
}
