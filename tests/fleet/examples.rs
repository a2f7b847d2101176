//! The examples `call` and `axum_service` over a store.

use std::{
    env,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tokio::task::spawn_blocking;
use tower_oauth::testing::Bank;

use crate::{process::KEY, server::RedisServer};

async fn run(example: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let mut command = Command::new(profile.join("examples").join(example));
    command.args(arguments).env_remove("OAUTH_STORE_KEY");
    command.envs(variables.iter().copied());
    let output = spawn_blocking(move || command.output()).await.unwrap();
    output.expect("the example is built: run .ci/fleet")
}

async fn call(bank: &Bank, store: &str, more: &[&str]) -> Output {
    let (token_url, origin, url) = (bank.token_url(), bank.api_origin(), bank.api_url());
    let mut arguments = vec![
        "--provider",
        "bankly",
        "--client-id",
        bank.client_id(),
        "--scope",
        "boleto.read",
        "--token-url",
        &token_url,
        "--origin",
        &origin,
        "--store",
        store,
    ];
    arguments.extend(more);
    arguments.push(&url);
    let secret = ("OAUTH_CLIENT_SECRET", bank.client_secret());
    run("call", &arguments, &[secret, ("OAUTH_STORE_KEY", KEY)]).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn call_takes_the_stored_token_and_says_so() {
    let redis = RedisServer::start(&[]).await;
    let bank = Bank::bankly().start().await.unwrap();
    for from_store in 0..2 {
        let output = call(&bank, &redis.url(), &[]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["token"]["from_store"], from_store);
    }
    assert_eq!(bank.counters().token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn call_with_a_wrong_password_fails_with_the_reason() {
    let redis = RedisServer::start(&["--requirepass", "right"]).await;
    let bank = Bank::bankly().start().await.unwrap();
    let url = redis.url().replace("redis://", "redis://:c4n4ry@");
    let output = call(&bank, &url, &[]).await;
    let said = text(&output.stderr) + &text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("check its user, password"), "{said}");
    assert!(!said.contains("c4n4ry"), "{said}");
    assert_eq!(bank.counters().token_requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn call_does_without_a_killed_redis_as_chosen() {
    let mut redis = RedisServer::start(&[]).await;
    let bank = Bank::bankly().start().await.unwrap();
    redis.kill();
    let alone = ["--when-store-is-down", "fetch-alone"];
    let output = call(&bank, &redis.url(), &alone).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = call(&bank, &redis.url(), &["--when-store-is-down", "fail"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the shared store"), "{said}");
    assert_eq!(bank.counters().token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn the_service_stores_a_token_for_each_bank() {
    let redis = RedisServer::start(&[]).await;
    let url = redis.url();
    let variables = [("REDIS_URL", url.as_str()), ("OAUTH_STORE_KEY", KEY)];
    let output = run("axum_service", &["--demo"], &variables).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let keys: Vec<String> = redis.run("KEYS tower-oauth:*:token").await;
    assert_eq!(keys.len(), 4, "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn the_service_names_the_variable_that_is_wrong() {
    let good = "redis://127.0.0.1:9";
    for (variables, says) in [
        (vec![("REDIS_URL", good)], "set OAUTH_STORE_KEY"),
        (
            vec![("REDIS_URL", good), ("OAUTH_STORE_KEY", "YzRuNHJ5")],
            "OAUTH_STORE_KEY: ",
        ),
        (
            vec![
                ("REDIS_URL", "http://:c4n4ry@localhost"),
                ("OAUTH_STORE_KEY", KEY),
            ],
            "REDIS_URL: ",
        ),
    ] {
        let output = run("axum_service", &["--demo"], &variables).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(says), "{said}");
        assert!(!said.contains("c4n4ry"), "{said}");
    }
}
