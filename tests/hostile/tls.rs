//! TLS with another server, without a handshake, or not at all; and TLS that ends without close_notify.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
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
        Step::{Hear, Reset, Say, Stall},
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

/// One whose authority the client trusts, and which makes one attempt per fetch.
fn source(client: Client, bank: &Bank, authority: &Authority) -> TokenSource {
    client.source_with(bank.token_url(), authority, |policy| {
        policy.retry.attempts = 1
    })
}

#[tokio::test]
async fn a_server_of_another_name_is_rejected_until_the_real_one_is_back() {
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
        (vec![Stall], "timeout", Transient, "timeouts.attempt"),
        (
            vec![Hear, Reset],
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

fn server_config(identity: &Identity) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes());
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes());
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.unwrap()], key.unwrap())
        .unwrap()
}

/// A server that gives each of its answers to one connection, and hangs up on it without TLS's close_notify.
fn hangs_up(identity: &Identity, answers: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(server_config(identity));
    thread::spawn(move || {
        for answer in answers {
            let (socket, _) = listener.accept()?;
            let tls = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(tls, socket);
            let mut request = Vec::new();
            while !request.ends_with(b"client_credentials") {
                let mut read = [0; 4096];
                let length = stream.read(&mut read)?;
                request.extend_from_slice(&read[..length]);
            }
            stream.write_all(answer.as_bytes())?;
            stream.flush()?;
            stream.sock.shutdown(Shutdown::Write)?;
            // What the client still sends is read: a reset would take the answer with it.
            let _ = io::copy(&mut stream.sock, &mut io::sink());
        }
        io::Result::Ok(())
    });
    address
}

/// Neither a length nor a close_notify says where the answer ends; its JSON does.
#[tokio::test]
async fn an_answer_without_close_notify_is_used_if_it_is_complete() {
    const WHOLE: &str = "HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"abc\",\"expires_in\":3600}";
    const CUT: &str = "HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"abc\",\"expires_";
    const EMPTY: &str = "HTTP/1.1 200 OK\r\n\r\n";
    let authority = Authority::new().unwrap();
    let identity = authority.loopback_server().unwrap();
    for client in CLIENTS {
        for (answers, attempts) in [(&[WHOLE][..], 1), (&[CUT, EMPTY, WHOLE], 3)] {
            let url = format!("https://{}", hangs_up(&identity, answers));
            let source = client.source_with(url, &authority, |_| {});
            let token = timeout(LONG, source.token())
                .await
                .expect("it hangs")
                .unwrap();
            assert_eq!(token.expose_token(), "abc", "{client:?}");
            let counters = source.status().counters;
            assert_eq!(
                (counters.fetches, counters.attempts),
                (1, attempts),
                "{client:?}"
            );
        }
    }
}
