//! The way ends before TLS.

use tokio::net::{TcpListener, TcpSocket};
use tower_oauth::testing::Bank;

use super::check;
use crate::call::tool::{CLIENTS, Call};

fn avista(token_url: &str) -> Call {
    Call::bare(&["--provider", "avista", "--client-id", "me"])
        .secret("long-enough-secret")
        .arg("--token-url", token_url)
}

/// A label of 64 characters is none: no name server is asked.
#[tokio::test]
async fn a_name_that_has_no_address() {
    let host = format!("{}.example", "a".repeat(64));
    let checked = check(avista(&format!("https://{host}/token"))).await;
    checked.assert_ends_at(
        "token_endpoint",
        "name",
        "has no address",
        "Check host and port of --token-url",
    );
    for step in [
        "tcp",
        "tls",
        "client_certificate",
        "clock",
        "token_request",
        "scopes",
    ] {
        assert_eq!(checked.verdict("token_endpoint", step), "skipped", "{step}");
        checked.assert_says("token_endpoint", step, "the step `name` failed", "");
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed = format!("http://{}/", socket.local_addr().unwrap());
    let refused = "Connection refused";
    let checked = check(avista(&closed)).await;
    let remedy = "Check host and port of --token-url";
    checked.assert_ends_at("token_endpoint", "tcp", refused, remedy);

    // The token is there, and the API is not.
    let bank = Bank::avista().start().await.unwrap();
    let call = Call::at(&bank).arg("--origin", closed.trim_end_matches('/'));
    let checked = check(call.url(closed)).await;
    checked.assert_ends_at("api", "tcp", refused, "Check host and port of the URL");
    assert_eq!(checked.verdict("token_endpoint", "token_request"), "ok");
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("https://{}/", listener.local_addr().unwrap());
    let checked = check(avista(&silent).arg("--timeout", "0.3")).await;
    let remedy = "Check that the port speaks TLS";
    checked.assert_ends_at("token_endpoint", "tls", "not done within 300ms", remedy);
}

#[tokio::test]
async fn a_proxy_is_not_used_for_this_machine() {
    for client in CLIENTS {
        let bank = Bank::avista().start().await.unwrap();
        let call = Call::of(&bank).arg("--client", client);
        let proxied = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
        let call = proxied
            .into_iter()
            .fold(call, |call, name| call.variable(name, "http://127.0.0.1:9"));
        check(call).await.assert_warnings(&[]);
    }
}

/// Its way is the proxy's: this machine may know neither the name nor the network.
#[tokio::test]
async fn behind_a_proxy_the_network_is_not_checked() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let proxy = format!("http://{}", socket.local_addr().unwrap());
    let host = format!("https://{}.example/", "a".repeat(63));
    let call = avista(&host).variable("HTTPS_PROXY", &proxy);
    let checked = check(call.clone().arg("--client", "reqwest")).await;
    let reason = "the client uses the proxy of HTTPS_PROXY";
    checked.assert_says("token_endpoint", "name", reason, "");
    let remedy = "Check the network";
    checked.assert_ends_at(
        "token_endpoint",
        "token_request",
        "could not be reached",
        remedy,
    );

    let long = format!("https://{}.example/", "a".repeat(64));
    let call = avista(&long).variable("HTTPS_PROXY", &proxy);
    let checked = check(call.arg("--client", "hyper")).await;
    let remedy = "With --client reqwest, the proxy of HTTPS_PROXY is used";
    checked.assert_ends_at("token_endpoint", "name", "has no address", remedy);
}
