//! How many requests, how fast, and what becomes of each.

use http::StatusCode;
use serde_json::{Value, json};
use tower_oauth::testing::{Bank, Fault};

use super::tool::{CLIENTS, Call};

async fn avista() -> Bank {
    Bank::avista().start().await.unwrap()
}

#[tokio::test]
async fn one_request_shows_what_came_back() {
    let bank = avista().await;
    for client in CLIENTS {
        let call = Call::at(&bank)
            .arg("--client", client)
            .arg("--method", "PUT")
            .arg("--header", "content-type: application/json")
            .arg("--data", r#"{"valor":"1.00"}"#)
            .url(format!("{}/abc", bank.api_url()));
        let outcome = call.run().await;
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(outcome.report()["requests"], 1);
        let echo: Value = serde_json::from_str(&outcome.stderr).unwrap();
        assert_eq!(echo["method"], "PUT");
        assert_eq!(echo["path"], "/cob/abc");
        assert_eq!(echo["body"], r#"{"valor":"1.00"}"#);
    }
}

#[tokio::test]
async fn with_a_body_the_method_is_post() {
    let outcome = Call::of(&avista().await).arg("--data", "x").run().await;
    let echo: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!(echo["method"], "POST");
}

#[tokio::test]
async fn many_at_once_share_one_token() {
    let bank = avista().await;
    let outcome = Call::of(&bank).arg("-n", "200").arg("-c", "16").run().await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let report = outcome.report();
    assert_eq!(report["status"], json!({ "200": 200 }));
    assert_eq!(report["token"]["attempts"], 1);
    let latency = &report["latency_ms"];
    let [p50, p99, max] = ["p50", "p99", "max"].map(|name| latency[name].as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{latency}");
}

#[tokio::test]
async fn statuses_are_counted_and_one_bad_one_is_a_failure() {
    let bank = avista().await;
    let busy = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    bank.api_faults([busy.clone(), busy]);
    let outcome = Call::of(&bank).arg("-n", "10").run().await;
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.report()["status"], json!({ "200": 8, "503": 2 }));
    assert!(
        outcome.stderr.contains("2 x HTTP 503"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn errors_are_counted_by_kind() {
    for client in CLIENTS {
        let bank = avista().await;
        bank.api_faults([Fault::Reset, Fault::CutOff, Fault::Hang]);
        let call = Call::of(&bank).arg("-n", "4").arg("--timeout", "2");
        let outcome = call.arg("--client", client).run().await;
        assert_eq!(outcome.code, 1);
        let report = outcome.report();
        assert_eq!(report["errors"], json!({ "transport": 2, "timeout": 1 }));
        assert_eq!(report["status"], json!({ "200": 1 }));
    }
}

#[tokio::test]
async fn the_first_of_number_and_duration_ends_it() {
    let bank = avista().await;
    let few = Call::of(&bank).arg("-n", "5").arg("--duration", "60");
    assert_eq!(few.run().await.report()["requests"], 5);
    let short = Call::of(&bank)
        .arg("-n", "1000000")
        .arg("--duration", "0.2");
    let report = short.arg("-c", "2").run().await.report();
    let requests = report["requests"].as_u64().unwrap();
    assert!((1..1_000_000).contains(&requests), "{requests}");
}

#[tokio::test]
async fn the_rate_is_a_bound() {
    let bank = avista().await;
    let call = Call::of(&bank).arg("--duration", "0.5").arg("--rate", "20");
    let report = call.arg("-c", "8").run().await.report();
    let requests = report["requests"].as_u64().unwrap();
    assert!((1..=11).contains(&requests), "{requests}");
}
