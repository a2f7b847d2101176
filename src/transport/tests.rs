//! The adapter against peers on loopback sockets.

use std::net::SocketAddr;

use ::reqwest::{Client, ClientBuilder, Proxy};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tower::ServiceExt;

use super::ReqwestService;
use crate::{BoxError, Origin};

/// A builder that needs no certificate authorities of the machine.
pub(crate) fn builder() -> ClientBuilder {
    let builder = Client::builder();
    #[cfg(feature = "rustls")]
    let builder = builder.tls_certs_only([]);
    builder
}

/// A peer that takes one connection, reads once, and answers. It tells what it read.
pub(crate) async fn peer(answer: impl Into<Vec<u8>>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.into();
    let read = async move {
        let (stream, _) = listener.accept().await.unwrap();
        exchange(stream, &answer).await
    };
    (address, tokio::spawn(read))
}

async fn exchange(mut stream: TcpStream, answer: &[u8]) -> String {
    let mut read = vec![0; 4096];
    let length = stream.read(&mut read).await.unwrap();
    read.truncate(length);
    stream.write_all(answer).await.unwrap();
    stream.shutdown().await.unwrap();
    // Closing with something unread would reset the connection, and the answer with it. What ends it is no matter.
    let _ = stream.read_to_end(&mut read).await;
    String::from_utf8_lossy(&read).into_owned()
}

/// An address that refuses connections for as long as the socket is held.
pub(crate) fn nobody() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

fn origin(text: impl ToString) -> Origin {
    text.to_string().parse().unwrap()
}

fn get(uri: impl ToString) -> Request<Full<Bytes>> {
    Request::get(uri.to_string())
        .header("access_token", "t0k3n")
        .body(Full::default())
        .unwrap()
}

async fn call(
    service: ReqwestService,
    request: Request<Full<Bytes>>,
) -> Result<http::Response<::reqwest::Body>, BoxError> {
    service.oneshot(request).await
}

#[tokio::test]
async fn a_request_goes_out_and_its_response_comes_back() {
    let (address, read) = peer("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok").await;
    let uri = format!("http://{address}");
    let service = ReqwestService::new(builder(), &origin(&uri)).unwrap();

    let response = call(service, get(format!("{uri}/cob?x=1"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "ok");
    let read = read.await.unwrap();
    assert!(read.starts_with("GET /cob?x=1 HTTP/1.1\r\n"), "{read}");
    assert!(read.contains("access_token: t0k3n\r\n"), "{read}");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (elsewhere, seen) = peer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n"
        );
        let (address, _) = peer(answer).await;
        let uri = format!("http://{address}");
        let service = ReqwestService::new(builder(), &origin(&uri)).unwrap();

        let response = call(service, get(&uri)).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert!(!seen.is_finished(), "{status}");
        seen.abort();
    }
}

#[tokio::test]
async fn loopback_goes_through_no_proxy() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = || Proxy::all(format!("http://{}", proxy.local_addr().unwrap())).unwrap();
    let (address, read) = peer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let uri = format!("http://{address}");

    let local = ReqwestService::new(builder().proxy(through()), &origin(&uri)).unwrap();
    assert!(call(local, get(&uri)).await.is_ok());
    assert!(read.await.unwrap().starts_with("GET / "));

    let remote = origin("https://api.example");
    let remote = ReqwestService::new(builder().proxy(through()), &remote).unwrap();
    let error = call(remote, get(&uri)).await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[tokio::test]
async fn an_error_shows_no_url() {
    let (address, _held) = nobody();
    let uri = format!("http://{address}");
    let service = ReqwestService::new(builder(), &origin(&uri)).unwrap();

    let error = call(service, get(format!("{uri}/p4th?qu3ry")))
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("p4th") && !shown.contains("qu3ry"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_built_is_an_error_with_its_cause() {
    let remote = origin("https://api.example");
    let error = ReqwestService::new(builder().user_agent("a\nb"), &remote).unwrap_err();
    assert_eq!(error.field(), "reqwest::ClientBuilder");
    assert!(error.rule().starts_with("builder error: "), "{error}");
}

#[test]
fn a_ready_made_client_is_taken_as_it_is() {
    let client = builder().build().unwrap();
    let service = ReqwestService::danger_from_client(client);
    assert!(service.client().get("https://api.example").build().is_ok());
}
