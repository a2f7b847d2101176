//! The fetcher over `reqwest`, against peers that behave and peers that do not.

use tokio::{io::AsyncReadExt, net::TcpListener};

use super::*;
use crate::{
    FailureClass, FetchErrorKind,
    transport::{
        ReqwestService,
        tests::{builder as client, nobody, peer},
    },
};

async fn fetch(token_url: &str, client: reqwest::ClientBuilder) -> Result<Token, FetchError> {
    let origin = token_url.parse().unwrap();
    let transport = ReqwestService::new(client, &origin).unwrap();
    let builder = plain().token_url(token_url);
    let fetcher = builder.fetcher::<Full<Bytes>>(transport).unwrap();
    fetcher.oneshot(TokenRequest::first(now())).await
}

#[tokio::test]
async fn a_token_is_fetched() {
    let body = r#"{"access_token":"abc"}"#;
    let length = body.len();
    let (address, read) = peer(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
    .await;
    let token = fetch(&format!("http://{address}"), client()).await.unwrap();
    assert_eq!(token.expose(), "abc");

    let read = read.await.unwrap();
    assert_eq!(read.matches("content-length").count(), 1, "{read}");
    assert!(
        read.ends_with("\r\n\r\ngrant_type=client_credentials"),
        "{read}"
    );
    assert!(read.contains("accept: application/json\r\n"), "{read}");
}

#[tokio::test]
async fn broken_connections_are_transient() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"access",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"acc",
    ] {
        let (address, _) = peer(answer).await;
        let error = fetch(&format!("http://{address}"), client())
            .await
            .unwrap_err();
        assert_eq!(error.class(), FailureClass::Transient, "{answer:?}");
        assert_eq!(error.kind(), FetchErrorKind::Unavailable, "{answer:?}");
    }
}

#[tokio::test]
async fn an_unreachable_host_is_transient() {
    let (address, _held) = nobody();
    let error = fetch(&format!("http://{address}"), client())
        .await
        .unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient);
    assert_eq!(error.kind(), FetchErrorKind::Unavailable);
}

#[tokio::test]
async fn the_clients_own_time_out_is_a_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await
    });
    let impatient = client().timeout(Duration::from_millis(20));
    let error = fetch(&format!("http://{address}"), impatient)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FetchErrorKind::TimedOut);
    assert_eq!(error.class(), FailureClass::Transient);
    silent.abort();
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_peer_without_tls_is_not_transient() {
    let (address, _) = peer("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = fetch(&format!("https://{address}"), client())
        .await
        .unwrap_err();
    assert_eq!(error.class(), FailureClass::Unclear);
    assert_eq!(error.kind(), FetchErrorKind::Unavailable);
    assert!(error.to_string().starts_with("TLS "), "{error}");
}
