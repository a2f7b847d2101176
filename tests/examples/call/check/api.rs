//! The way ends at the API.

use http::StatusCode;
use tower_oauth::testing::{Bank, Fault};

use super::check;
use crate::call::tool::{CLIENTS, Call};

#[tokio::test]
async fn every_status_that_is_no_success_has_a_remedy() {
    for (status, remedy) in [
        (StatusCode::UNAUTHORIZED, "The API does not take the token"),
        (StatusCode::FORBIDDEN, "check --scope"),
        (StatusCode::NOT_FOUND, "check the URL and --method"),
        (StatusCode::FOUND, "Redirects are not followed"),
        (StatusCode::BAD_GATEWAY, "The API failed"),
    ] {
        for client in CLIENTS {
            let bank = Bank::avista().start().await.unwrap();
            bank.api_fault_always(Fault::status(status));
            let checked = check(Call::of(&bank).arg("--client", client)).await;
            let detail = format!("HTTP {status}");
            checked.assert_ends_at("api", "call", &detail, remedy);
            assert_eq!(
                checked.step("api", "call")["facts"]["status"],
                status.as_u16()
            );
            assert_eq!(checked.verdict("token_endpoint", "scopes"), "ok");
        }
    }
}

#[tokio::test]
async fn an_api_that_breaks_off() {
    let bank = Bank::avista().start().await.unwrap();
    bank.api_fault_always(Fault::Reset);
    let checked = check(Call::of(&bank)).await;
    checked.assert_ends_at("api", "call", "", "Check the network");
    bank.api_fault_always(Fault::Hang);
    let checked = check(Call::of(&bank).arg("--timeout", "0.5")).await;
    checked.assert_ends_at("api", "call", "not done within 500ms", "--timeout");
}
