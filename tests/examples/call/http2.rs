//! Both clients speak HTTP/2 where the server offers it, and HTTP/1.1 elsewhere.

use http::Version;
use rustls::version::TLS13;
use tower_oauth::testing::{Authority, Bank};

use super::{
    banks::{Folder, with_certificate},
    tool::{CLIENTS, Call},
};
use crate::support::http2::Gateway;

pub(super) fn through(gateway: &Gateway, bank: &Bank) -> Call {
    Call::bare(&["--provider", "avista", "--client-id", bank.client_id()])
        .secret(bank.client_secret())
        .arg("--token-url", gateway.url(&bank.token_url()))
        .arg("--origin", gateway.origin())
        .url(gateway.url(&bank.api_url()))
}

#[tokio::test]
async fn both_clients_speak_what_the_server_offers() {
    let authority = Authority::new().unwrap();
    let folder = Folder::new("http2", &authority, &authority.client("call").unwrap());
    let identity = authority.loopback_server().unwrap();
    for client in CLIENTS {
        for (offered, expected) in [
            (&["h2", "http/1.1"][..], Version::HTTP_2),
            (&["http/1.1", "h2"], Version::HTTP_11),
            (&["http/1.1"], Version::HTTP_11),
            (&[], Version::HTTP_11),
        ] {
            let bank = Bank::avista().start().await.unwrap();
            let gateway = Gateway::start(&bank, &identity, offered).await;
            let call = through(&gateway, &bank).arg("--client", client);
            let call = call.arg("--cacert", folder.file("ca.pem"));
            let outcome = call.arg("-n", "3").run().await;
            assert_eq!(outcome.code, 0, "{client}: {}", outcome.stderr);
            let seen = gateway.versions();
            assert_eq!(seen, vec![expected; 4], "{client} {offered:?}");
        }
    }
}

/// With HTTP/2 the server's alert comes in other words. hyper's client does not always pass it on: its connection runs
/// on another thread, and may have ended before the request is given to it.
#[tokio::test]
async fn a_client_certificate_that_is_rejected_is_named_over_http2_too() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let stranger = foreign.client("call").unwrap();
    let folder = Folder::new("http2-foreign", &authority, &stranger);
    let bank = Bank::avista().start().await.unwrap();
    let identity = authority.loopback_server().unwrap();
    let gateway = Gateway::demanding(&bank, &identity, &authority, &TLS13).await;
    let call = through(&gateway, &bank).arg("--client", "reqwest");
    let without = call.clone().arg("--cacert", folder.file("ca.pem"));
    for (call, alert, advice) in [
        (
            without,
            "CertificateRequired",
            "Give a client certificate with --cert",
        ),
        (
            with_certificate(call, &folder),
            "UnknownCA",
            "Check --cert: ",
        ),
    ] {
        let outcome = call.run().await;
        assert_eq!(outcome.code, 1, "{}", outcome.stderr);
        for says in [alert, advice] {
            assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
        }
    }
}
