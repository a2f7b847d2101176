//! The way ends at the token request, or the token has less than one would want.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_oauth::{
    Clock,
    testing::{Bank, Fault},
};

use super::check;
use crate::call::tool::{CLIENTS, Call};

const MINUTES: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_wrong_secret() {
    for client in CLIENTS {
        let bank = Bank::bankly().start().await.unwrap();
        let call = Call::of(&bank)
            .secret("not-the-secret")
            .arg("--client", client);
        let checked = check(call).await;
        let (detail, remedy) = ("invalid_client", "OAUTH_CLIENT_SECRET");
        checked.assert_ends_at("token_endpoint", "token_request", detail, remedy);
        let facts = &checked.step("token_endpoint", "token_request")["facts"];
        assert_eq!(facts["code"], "invalid_client");
        assert_eq!(
            (&facts["attempts"], &facts["status"]),
            (&1.into(), &401.into())
        );
        let exchange = facts["exchange"][0].as_str().unwrap();
        assert!(
            exchange.contains("client_secret: text [elided]"),
            "{exchange}"
        );
        checked.assert_says(
            "token_endpoint",
            "life",
            "the step `token_request` failed",
            "",
        );
        checked.assert_says("api", "call", "there is no token", "");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_never_answers() {
    let bank = Bank::avista().start().await.unwrap();
    bank.token_fault_always(Fault::Hang);
    let call = Call::of(&bank).arg("--timeout", "0.5");
    let checked = check(call).await;
    checked.assert_ends_at("token_endpoint", "token_request", "", "--timeout");
}

#[tokio::test]
async fn scopes_that_were_not_granted_are_a_warning() {
    let bank = Bank::bankly().start().await.unwrap();
    let answer = json!({ "access_token": "abc", "expires_in": 3600, "scope": "boleto.read" });
    bank.token_fault_always(Fault::answer(StatusCode::OK, answer.to_string()));
    let call = Call::at(&bank).arg("--scope", "pix.cob.read");
    let checked = check(call).await;
    checked.assert_warnings(&[("token_endpoint", "scopes")]);
    let (detail, remedy) = ("not granted: pix.cob.read", "Ask the provider");
    checked.assert_says("token_endpoint", "scopes", detail, remedy);
    let facts = &checked.step("token_endpoint", "scopes")["facts"];
    assert_eq!(facts["granted"], json!(["boleto.read"]));
    assert_eq!(facts["missing"], json!(["pix.cob.read"]));
}

#[tokio::test]
async fn a_short_life_is_a_warning() {
    let bank = Bank::avista().lifetime(Duration::from_secs(40));
    let bank = bank.start().await.unwrap();
    let checked = check(Call::of(&bank)).await;
    checked.assert_warnings(&[("token_endpoint", "life")]);
    checked.assert_says(
        "token_endpoint",
        "life",
        "40 s",
        "A new token is needed that often",
    );
}

#[tokio::test]
async fn a_clock_that_is_off_is_a_warning() {
    let late = || Clock::system().wall() - MINUTES;
    let early = || Clock::system().wall() + MINUTES;
    let ahead = Bank::avista().wall_clock(late).start().await.unwrap();
    let behind = Bank::avista().wall_clock(early).start().await.unwrap();
    for (bank, detail, sign) in [
        (ahead, "s ahead of the server's `Date`", 1.0),
        (behind, "s behind the server's `Date`", -1.0),
    ] {
        let checked = check(Call::of(&bank)).await;
        checked.assert_warnings(&[("token_endpoint", "clock")]);
        checked.assert_says(
            "token_endpoint",
            "clock",
            detail,
            "Set this machine's clock",
        );
        let ahead = &checked.step("token_endpoint", "clock")["facts"]["ahead_s"];
        let off = ahead.as_f64().unwrap() * sign;
        assert!((590.0..=660.0).contains(&off), "{off}");
    }
}
