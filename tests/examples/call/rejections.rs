//! Tokens that the bank rejects, or does not give at all.

use http::StatusCode;
use serde_json::{Value, json};
use tower_oauth::testing::{Bank, Fault};

use super::tool::{CLIENTS, Call};

#[tokio::test]
async fn without_a_token_every_request_is_an_error() {
    for client in CLIENTS {
        let bank = Bank::anbima().start().await.unwrap();
        let call = Call::of(&bank).secret("a-wrong-secret").arg("-n", "5");
        let outcome = call.arg("--client", client).run().await;
        assert_eq!(outcome.code, 1);
        let report = outcome.report();
        assert_eq!(report["errors"], json!({ "denied": 5 }));
        assert_eq!(report["token"]["failures"], 1);
        assert_eq!(report["token"]["generation"], Value::Null);
        assert_eq!(report["token"]["expires_in_s"], Value::Null);
        assert!(
            outcome.stderr.contains("invalid_client"),
            "{}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.contains("OAUTH_CLIENT_SECRET"),
            "{}",
            outcome.stderr
        );
        assert_eq!(bank.counters().api_requests, 0);
    }
}

#[tokio::test]
async fn a_rejected_request_is_retried_by_default() {
    let rejected = Fault::status(StatusCode::UNAUTHORIZED);
    let bank = Bank::avista().start().await.unwrap();
    bank.api_faults([rejected.clone()]);
    let outcome = Call::of(&bank).run().await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let token = &outcome.report()["token"];
    assert_eq!(
        (&token["rejections"], &token["retries"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&token["attempts"], &token["generation"]),
        (&json!(2), &json!(2))
    );

    bank.api_faults([rejected]);
    let outcome = Call::of(&bank).flag("--no-retry").run().await;
    assert_eq!(outcome.code, 1);
    let report = outcome.report();
    assert_eq!(report["status"], json!({ "401": 1 }));
    assert_eq!(report["token"]["retries"], 0);
}

#[tokio::test]
async fn an_unsafe_request_is_retried_after_an_ambiguous_rejection_only_with_the_danger_option() {
    for (flag, status, retries) in [
        ("--data=x", "403", 0),
        ("--danger-retry-any-method", "200", 1),
    ] {
        let bank = Bank::anbima().start().await.unwrap();
        bank.api_faults([Fault::status(StatusCode::FORBIDDEN)]);
        let call = Call::of(&bank).arg("--method", "POST").flag(flag);
        let report = call.run().await.report();
        assert_eq!(report["status"], json!({ status: 1 }), "{flag}");
        assert_eq!(report["token"]["retries"], retries, "{flag}");
    }
}
