//! With proxies in the environment, nothing that is meant for this machine goes through one.

use std::{env, process::Command};

use http::StatusCode;
use tower_oauth::testing::Foreign;

use crate::stack::{every_stack, reqwest_builder};

/// Marks the process whose environment names a proxy.
const CHILD: &str = "TOWER_OAUTH_TEST_PROXIED";

/// The names that clients read; `NO_PROXY` would let loopback off.
const VARIABLES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The variables are set for a process of its own, where the test runs once more: setting them in this one would be
/// unsafe.
#[tokio::test(flavor = "multi_thread")]
async fn neither_secret_nor_token_goes_through_a_proxy() {
    if env::var_os(CHILD).is_some() {
        return call_every_bank().await;
    }
    let proxy = Foreign::start().await.unwrap();
    let mut child = Command::new(env::current_exe().unwrap());
    child.args([
        "--exact",
        "proxy::neither_secret_nor_token_goes_through_a_proxy",
    ]);
    child.envs(VARIABLES.map(|name| (name, proxy.origin())));
    child
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env_remove("REQUEST_METHOD");
    let output = child.env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );

    let seen = proxy.requests();
    let paths: Vec<_> = seen.iter().map(|request| request.uri().path()).collect();
    assert_eq!(paths, ["/control"]);
}

async fn call_every_bank() {
    for stack in every_stack().await {
        assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
        stack.assert_fetches(1);
    }
    // A client that the crate did not build shows that the variables are in force.
    let careless = reqwest_builder().build().unwrap();
    let answer = careless.get("http://127.0.0.1:9/control").send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::OK);
}
