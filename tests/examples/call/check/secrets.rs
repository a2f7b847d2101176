//! No secret, token or key is in a report, and nothing of a server's text moves a cursor or makes a line of its own.

use http::StatusCode;
use serde_json::json;
use tower_oauth::{
    SigningAlgorithm,
    testing::{Assertions, Authority, Bank, ClientKey, Fault, Tls},
};

use crate::call::{
    banks::{Folder, with_certificate},
    secrets::File,
    tool::{CLIENTS, Call},
};

const CANARY: &str = "canary-7f3a9c1e5b2d8f4a6c0e";

/// With `--json` and without.
async fn assert_hidden(call: Call, texts: &[&str]) {
    let call = texts
        .iter()
        .fold(call, |call, text| call.hiding(text))
        .flag("--check");
    call.clone().run().await;
    call.flag("--json").run().await;
}

/// The token is in the API's answers, the secret in the token endpoint's.
#[tokio::test]
async fn no_secret_that_a_server_repeats() {
    let token = json!({ "access_token": CANARY, "expires_in": 3600, "scope": "a", "hint": CANARY });
    let denied = format!("{{\"error\":\"invalid_client\",\"error_description\":\"{CANARY}\"}}");
    for client in CLIENTS {
        let bank = Bank::avista()
            .credentials("me", CANARY)
            .start()
            .await
            .unwrap();
        bank.token_fault_always(Fault::answer(StatusCode::OK, token.to_string()));
        bank.api_fault_always(Fault::answer(StatusCode::FORBIDDEN, CANARY));
        assert_hidden(Call::of(&bank).arg("--client", client), &[CANARY]).await;
        bank.token_fault_always(Fault::answer(StatusCode::UNAUTHORIZED, denied.clone()));
        assert_hidden(Call::of(&bank).arg("--client", client), &[CANARY]).await;
    }
}

#[tokio::test]
async fn no_key_and_no_assertion() {
    let authority = Authority::new().unwrap();
    let identity = authority.client("call").unwrap();
    let folder = Folder::new("check-secrets", &authority, &identity);
    let key = ClientKey::generate(SigningAlgorithm::Ps256);
    let file = File::new("check-signing.pem", key.pem());
    let lines = |pem: &str| pem.lines().nth(1).unwrap().to_owned();
    let hidden = [lines(identity.key_pem()), lines(key.pem()), "eyJ".into()];
    let hidden = hidden.each_ref().map(String::as_str);

    let bank = Bank::bankly().tls(Tls::new(&authority).unwrap());
    let bank = bank.start().await.unwrap();
    assert_hidden(with_certificate(Call::of(&bank), &folder), &hidden).await;

    let rules = Assertions::client(&key);
    let bank = Bank::bankly().assertions(rules).start().await.unwrap();
    let call = Call::of(&bank).without_secret().arg("--alg", "PS256");
    assert_hidden(call.arg("--key", file.path()), &hidden).await;
}

#[tokio::test]
async fn no_key_in_an_address() {
    let bank = Bank::avista().start().await.unwrap();
    let with_key = |url: String| format!("{url}?key={CANARY}");
    let call = Call::at(&bank).arg("--token-url", with_key(bank.token_url()));
    let call = call.url(with_key(bank.api_url()));
    assert_hidden(call, &[CANARY]).await;
    let closed = Call::bare(&["--provider", "avista", "--client-id", "me"])
        .secret("long-enough-secret")
        .arg("--token-url", with_key("http://127.0.0.1:9/".into()));
    assert_hidden(closed, &[CANARY]).await;
}

#[tokio::test]
async fn nothing_of_a_server_looks_like_a_line_of_the_report() {
    const FORGED: &str = "x\u{1b}[2J\r\nok      API: call\u{202e}";
    let bank = Bank::avista().start().await.unwrap();
    let denied = json!({ "error": FORGED, "error_description": FORGED, "scope": FORGED });
    let granted = json!({ "access_token": "abc", "expires_in": 3600, "scope": FORGED });
    for (status, answer) in [
        (StatusCode::UNAUTHORIZED, denied),
        (StatusCode::OK, granted),
    ] {
        bank.token_fault_always(Fault::answer(status, answer.to_string()));
        for flags in [&["--check"][..], &["--check", "--json"]] {
            let call = flags
                .iter()
                .fold(Call::at(&bank), |call, flag| call.flag(flag));
            let outcome = call.run().await;
            for forged in ["\u{1b}", "\u{202e}", "\nok      API"] {
                assert!(!outcome.stdout.contains(forged), "{}", outcome.stdout);
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_a_certificate_does_either() {
    let authority = Authority::new().unwrap();
    let forged = authority
        .client("x\u{1b}[2J\nok      API: call\u{202e}")
        .unwrap();
    let folder = Folder::new("check-forged", &authority, &forged);
    let bank = Bank::avista().tls(Tls::new(&authority).unwrap());
    let bank = bank.start().await.unwrap();
    for flags in [&["--check"][..], &["--check", "--json"]] {
        let call = with_certificate(Call::of(&bank), &folder);
        let call = flags.iter().fold(call, |call, flag| call.flag(flag));
        let outcome = call.run().await;
        assert!(outcome.stdout.contains("CN=x\\u001b"), "{}", outcome.stdout);
        for forged in ["\u{1b}", "\u{202e}", "\nok      API: call\\u"] {
            assert!(!outcome.stdout.contains(forged), "{}", outcome.stdout);
        }
    }
}
