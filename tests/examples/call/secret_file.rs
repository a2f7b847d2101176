//! The client's secret in a file.

use std::time::Duration;

use tower_oauth::testing::Bank;

use super::{
    secrets::File,
    tool::{CLIENTS, Call},
};

#[tokio::test]
async fn it_takes_the_variables_place() {
    for client in CLIENTS {
        let bank = Bank::avista().start().await.unwrap();
        let text = format!("\u{feff}{}\r\n", bank.client_secret());
        let file = File::new("secret", text);
        let call = Call::of(&bank).without_secret().arg("--client", client);
        let outcome = call.arg("--secret-file", file.path()).run().await;
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(outcome.report()["token"]["attempts"], 1);
    }
}

#[tokio::test]
async fn a_mistake_is_named_and_nothing_of_the_file_is_shown() {
    let bank = Bank::avista().start().await.unwrap();
    let good = File::new("good-secret", bank.client_secret());
    let twice = Call::of(&bank).arg("--secret-file", good.path());
    let outcome = twice.run().await;
    outcome.assert_usage_error("given twice");
    outcome.assert_usage_error("OAUTH_CLIENT_SECRET");
    for (text, says) in [
        ("", "must not be empty"),
        ("canary-4711 \n", "U+0020 at character 12"),
        ("canary-\u{a0}4711", "U+00A0 at character 8"),
        ("canary", "8 to 64 characters"),
    ] {
        let file = File::new("wrong-secret", text);
        let call = Call::of(&bank).without_secret();
        let outcome = call.arg("--secret-file", file.path()).run().await;
        outcome.assert_usage_error(says);
        assert!(
            outcome.stderr.contains("(here: --secret-file)"),
            "{}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("4711"), "{}", outcome.stderr);
    }
    let call = Call::of(&bank).without_secret();
    let outcome = call.arg("--secret-file", "no-such-file").run().await;
    outcome.assert_usage_error("invalid `file no-such-file`: cannot be read");
    let outcome = Call::of(&bank).without_secret().run().await;
    outcome.assert_usage_error("--secret-file");
    assert_eq!(bank.counters().token_requests, 0);
}

#[tokio::test]
async fn a_denial_points_to_it() {
    let bank = Bank::avista().start().await.unwrap();
    let file = File::new("denied-secret", "another secret");
    let call = Call::of(&bank).without_secret();
    let outcome = call.arg("--secret-file", file.path()).run().await;
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stderr.contains("Check --client-id, --secret-file"),
        "{}",
        outcome.stderr
    );
}

/// A load goes on while the bank's secret and the file are replaced.
#[tokio::test]
async fn it_may_change_during_a_load() {
    let bank = Bank::avista().start().await.unwrap();
    let file = File::new("changing-secret", bank.client_secret());
    let call = Call::of(&bank).without_secret();
    let call = call.arg("--secret-file", file.path()).arg("-n", "400");
    let load = tokio::spawn(call.arg("--rate", "200").run());
    let half = bank.wait_for(|it| it.api_ok >= 50);
    let waited = tokio::time::timeout(Duration::from_secs(60), half).await;
    waited.expect("the load runs");
    std::fs::write(file.path(), "the second secret").unwrap();
    bank.set_secret("the second secret");
    bank.revoke_all();
    let outcome = load.await.unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(bank.counters().token_denials, 0);
    assert_eq!(bank.counters().tokens_issued, 2);
}
