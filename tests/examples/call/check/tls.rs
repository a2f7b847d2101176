//! The way ends at a certificate: the server's or the client's.

use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use tower_oauth::{
    Clock,
    testing::{Authority, Bank, Identity, Tls},
};

use super::check;
use crate::{
    call::{
        banks::{Folder, with_certificate},
        http2::through,
        tool::Call,
    },
    support::http2::Gateway,
};

async fn bank_with(authority: &Authority, identity: Identity) -> Bank {
    let tls = Tls::new(authority).unwrap().client_certificate_optional();
    let bank = Bank::avista().tls(tls.identity(identity));
    bank.start().await.unwrap()
}

#[tokio::test]
async fn a_servers_certificate_that_is_no_good() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let folder = Folder::new("check-tls", &authority, &authority.client("call").unwrap());
    for (identity, detail, remedy) in [
        (
            authority.backdated().loopback_server(),
            "the server's certificate has expired; CN=",
            "Check this machine's clock",
        ),
        (
            foreign.loopback_server(),
            "by an authority that is not trusted",
            "with --cacert",
        ),
        (
            authority.server(["elsewhere.example", "10.0.0.1"]),
            "is not for 127.0.0.1, but for elsewhere.example, 10.0.0.1",
            "Check the host name",
        ),
    ] {
        let bank = bank_with(&authority, identity.unwrap()).await;
        let call = Call::of(&bank).arg("--cacert", folder.file("ca.pem"));
        let checked = check(call).await;
        checked.assert_ends_at("token_endpoint", "tls", detail, remedy);
        let facts = &checked.step("token_endpoint", "tls")["facts"];
        let issuer = facts["issuer"].as_str().unwrap();
        assert!(issuer.starts_with("CN=test authority "), "{issuer}");
        assert!(facts["not_after"].is_string(), "{facts}");
        assert_eq!(bank.counters().token_requests, 0);
    }
}

#[tokio::test]
async fn a_server_without_tls() {
    let bank = Bank::avista().start().await.unwrap();
    let url = bank.token_url().replace("http:", "https:");
    let call = Call::bare(&["--provider", "avista", "--client-id", "me"]);
    let call = call.secret("long-enough-secret").arg("--token-url", url);
    let authority = Authority::new().unwrap();
    let folder = Folder::new(
        "check-plain",
        &authority,
        &authority.client("call").unwrap(),
    );
    let checked = check(call.arg("--cacert", folder.file("ca.pem"))).await;
    let (detail, remedy) = ("does not speak TLS", "https or http");
    checked.assert_ends_at("token_endpoint", "tls", detail, remedy);
}

/// Both versions of TLS, with HTTP/2; the banks have the other combination.
#[tokio::test]
async fn a_client_certificate_that_is_missing_or_not_taken() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let stranger = Folder::new(
        "check-stranger",
        &authority,
        &foreign.client("call").unwrap(),
    );
    let identity = authority.loopback_server().unwrap();
    let plain = Bank::avista().start().await.unwrap();
    for version in [&TLS12, &TLS13] {
        let gateway = Gateway::demanding(&plain, &identity, &authority, version).await;
        let call = || through(&gateway, &plain);
        assert_missing(call().arg("--cacert", stranger.file("ca.pem"))).await;
        assert_not_taken(with_certificate(call(), &stranger)).await;
    }
    let bank = Bank::avista().tls(Tls::new(&authority).unwrap());
    let bank = bank.start().await.unwrap();
    assert_missing(Call::of(&bank).arg("--cacert", stranger.file("ca.pem"))).await;
    assert_not_taken(with_certificate(Call::of(&bank), &stranger)).await;
    assert_eq!(
        plain.counters().token_requests + bank.counters().token_requests,
        0
    );
}

async fn assert_missing(call: Call) {
    let checked = check(call).await;
    let remedy = "client certificate";
    checked.assert_ends_at("token_endpoint", "client_certificate", "", remedy);
    assert_eq!(checked.verdict("token_endpoint", "tls"), "ok");
}

async fn assert_not_taken(call: Call) {
    let checked = check(call).await;
    checked.assert_ends_at(
        "token_endpoint",
        "client_certificate",
        "the server rejected the client certificate (UnknownCA); CN=call, issued by CN=test authority",
        "Check --cert: ",
    );
    assert_eq!(checked.verdict("token_endpoint", "tls"), "ok");
}

/// Nothing is sent with it.
#[tokio::test]
async fn a_client_certificate_that_has_expired_is_a_wrong_setting() {
    let authority = Authority::new().unwrap();
    let expired = authority.backdated().client("call").unwrap();
    let folder = Folder::new("check-expired", &authority, &expired);
    let bank = Bank::avista().tls(Tls::new(&authority).unwrap());
    let bank = bank.start().await.unwrap();
    let checked = check(with_certificate(Call::of(&bank), &folder)).await;
    assert_eq!(checked.outcome.code, 2);
    let settings = &checked.steps()[0];
    let detail = settings["detail"].as_str().unwrap();
    assert!(
        detail.contains("the certificate has expired on 2000-12-31"),
        "{detail}"
    );
    assert!(
        checked.steps()[1..]
            .iter()
            .all(|it| it["verdict"] == "skipped")
    );
}

#[tokio::test]
async fn a_client_certificate_that_ends_soon_is_a_warning() {
    let day = Duration::from_secs(24 * 60 * 60);
    let authority = Authority::new().unwrap();
    let now = Clock::system().wall();
    let builder = authority.client_certificate("call");
    let identity = builder
        .valid(now - day, now + 10 * day + day / 2)
        .issue()
        .unwrap();
    let folder = Folder::new("check-soon", &authority, &identity);
    let bank = Bank::avista().tls(Tls::new(&authority).unwrap());
    let bank = bank.start().await.unwrap();
    let checked = check(with_certificate(Call::of(&bank), &folder)).await;
    checked.assert_warnings(&[("token_endpoint", "client_certificate")]);
    let (detail, remedy) = (
        "accepted; it expires in 10 days; CN=call",
        "Renew the certificate",
    );
    checked.assert_says("token_endpoint", "client_certificate", detail, remedy);
}

#[tokio::test]
async fn a_certificate_that_nobody_asks_for_is_not_shown() {
    let authority = Authority::new().unwrap();
    let folder = Folder::new(
        "check-unasked",
        &authority,
        &authority.client("call").unwrap(),
    );
    let bank = Bank::avista().start().await.unwrap();
    let identity = authority.loopback_server().unwrap();
    let gateway = Gateway::start(&bank, &identity, &[]).await;
    let checked = check(with_certificate(through(&gateway, &bank), &folder)).await;
    checked.assert_warnings(&[]);
    let detail = "not requested, so it is not shown";
    checked.assert_says("token_endpoint", "client_certificate", detail, "");
}
