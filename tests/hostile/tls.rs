//! TLS with somebody else, with nobody, or not at all.

use tokio::time::timeout;
use tower_oauth::{
    FailureClass::{self, Transient, Unclear},
    TokenSource,
    testing::{Authority, Bank, Identity, Tls},
};

use crate::{
    client::{CLIENTS, Client, ID, LONG, SECRET, SHORT, chain, failure},
    peer::Peer,
    script::{
        Script,
        Step::{Reset, Say, Stall},
    },
};

async fn open(authority: &Authority, identity: Identity, port: u16) -> Bank {
    let tls = Tls::new(authority).unwrap().client_certificate_optional();
    let bank = Bank::conta_simples().credentials(ID, SECRET).port(port);
    bank.tls(tls.identity(identity)).start().await.unwrap()
}

fn port_of(bank: &Bank) -> u16 {
    let origin = bank.api_origin();
    origin.rsplit(':').next().unwrap().parse().unwrap()
}

/// One whose authority the client trusts, and which makes one attempt per flight.
fn source(client: Client, bank: &Bank, authority: &Authority) -> TokenSource {
    client.source_with(bank.token_url(), authority, |policy| policy.attempts = 1)
}

#[tokio::test]
async fn a_server_that_is_somebody_else_until_it_is_itself_again() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    for client in CLIENTS {
        for (identity, says) in [
            (
                authority.server(["elsewhere.example"]),
                "not valid for name",
            ),
            (foreign.loopback_server(), "UnknownIssuer"),
        ] {
            let case = format!("{client:?}, {says}");
            let bank = open(&authority, identity.unwrap(), 0).await;
            let (port, source) = (port_of(&bank), source(client, &bank, &authority));
            let error = failure(&source, LONG, &case).await;
            assert_eq!(error.class(), Some(Unclear), "{case}: {error}");
            assert!(chain(&error).contains(says), "{case}: {}", chain(&error));
            assert_eq!(bank.counters().token_requests, 0, "{case}");

            bank.stop().await;
            let _bank = open(&authority, authority.loopback_server().unwrap(), port).await;
            let ready = timeout(LONG, source.ready()).await;
            assert!(matches!(ready, Ok(Ok(()))), "{case}: {:?}", source.status());
        }
    }
}

/// Peers that take the connection and do no handshake.
fn strangers() -> [(Script, &'static str, FailureClass, &'static str); 3] {
    let plain = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".into();
    [
        (vec![Stall], "timeout", Transient, "attempt_timeout"),
        (
            vec![Reset],
            "unavailable",
            Transient,
            "the connection to the token endpoint broke",
        ),
        (vec![Say(plain)], "unavailable", Unclear, "TLS"),
    ]
}

#[tokio::test]
async fn a_server_that_does_no_handshake() {
    for client in CLIENTS {
        for (script, kind, class, says) in strangers() {
            let peer = Peer::playing(script).await;
            let bound = if kind == "timeout" { SHORT } else { LONG };
            let source = client.source(format!("https://{}", peer.address), bound);
            let error = failure(&source, bound, kind).await;
            let words = chain(&error);
            assert_eq!(error.kind().as_str(), kind, "{client:?}: {words}");
            assert_eq!(error.class(), Some(class), "{client:?}: {words}");
            assert!(words.contains(says), "{client:?}: {words}");
            let hangs_up = timeout(LONG, peer.abandoned()).await;
            assert!(hangs_up.is_ok(), "{client:?}: {words}");
        }
    }
}
