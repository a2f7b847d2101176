//! `--store`, without a Redis: mistakes, and a store that is down. `tests/fleet/examples.rs` has the rest.

use std::net::TcpListener;

use tower_oauth::testing::Bank;

use super::tool::Call;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SHORT_KEY: &str = "YzRuNHJ5LWtleQ==";

/// A URL of a port that nobody listens on.
fn down() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("redis://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn what_cannot_work_is_said_before_anything_is_sent() {
    let bank = Bank::bankly().start().await.unwrap();
    let good = Call::of(&bank).store_key(KEY);
    for (call, says) in [
        (Call::of(&bank).arg("--store", down()), "OAUTH_STORE_KEY"),
        (
            Call::of(&bank).store_key(SHORT_KEY).arg("--store", down()),
            "key 1 has 10 bytes; it must have 32 (here: the variable OAUTH_STORE_KEY)",
        ),
        (
            Call::of(&bank).store_key("c4n4ry!").arg("--store", down()),
            "key 1 is not standard base64",
        ),
        (
            good.clone()
                .hiding("c4n4ry")
                .arg("--store", "http://:c4n4ry@localhost"),
            "the URL must begin with redis:// or rediss:// (here: --store)",
        ),
        (
            good.clone()
                .hiding("c4n4ry")
                .arg("--store", "redis://:c4n4ry@localhost:port"),
            "is not the URL of a Redis server (here: --store)",
        ),
        (good.clone().arg("--when-store-is-down", "fail"), "--store"),
        (
            good.arg("--store", down())
                .arg("--when-store-is-down", "panic"),
            "fetch-alone, fail",
        ),
    ] {
        call.run().await.assert_usage_error(says);
    }
    assert_eq!(bank.counters().token_requests, 0);
}

#[tokio::test]
async fn a_store_that_is_down_is_left_out_or_fails_the_call_as_chosen() {
    let bank = Bank::bankly().start().await.unwrap();
    let call = Call::of(&bank).store_key(KEY).arg("--store", down());
    let alone = call.clone().run().await;
    assert_eq!(alone.code, 0, "{}", alone.stderr);
    assert_eq!(alone.report()["token"]["from_store"], 0);
    let warning =
        "call: warning: the shared store is down: this replica fetches by itself; error: ";
    assert!(alone.stderr.contains(warning), "{}", alone.stderr);
    assert_eq!(bank.counters().token_requests, 1);
    let fails = call.arg("--when-store-is-down", "fail").run().await;
    assert_eq!(fails.code, 1, "{}", fails.stderr);
    assert!(
        fails.stderr.contains("the shared store is down") && fails.stderr.contains("Check --store"),
        "{}",
        fails.stderr
    );
    assert_eq!(bank.counters().token_requests, 1);
}
