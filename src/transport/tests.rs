//! The adapter against peers on loopback sockets.

use std::net::SocketAddr;

use ::reqwest::{Client, ClientBuilder, Proxy, Url};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{
    Request, StatusCode, Uri,
    uri::{Parts, Scheme},
};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tower::ServiceExt;

use super::{ReqwestService, reqwest::dialled};
use crate::{BoxError, Origin};

/// A builder that needs no certificate authorities of the machine.
pub(crate) fn builder() -> ClientBuilder {
    let builder = Client::builder();
    #[cfg(feature = "rustls")]
    let builder = builder.tls_certs_only([]);
    builder
}

/// A peer that accepts one connection, reads once, and answers. It returns what it read.
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

/// An address that rejects connections for as long as the socket is held.
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

/// A request whose URI is made of parts, as a gateway makes it.
fn by_parts(authority: &str, path: &str) -> Request<Full<Bytes>> {
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority.parse().unwrap());
    parts.path_and_query = Some(path.parse().unwrap());
    let mut request = get("/");
    *request.uri_mut() = Uri::from_parts(parts).unwrap();
    request
}

/// `http` 1.5 takes no other path without a slash; with older ones it might be `@evil.example/` and `.evil.example/`.
#[tokio::test]
async fn a_path_cannot_extend_the_host() {
    let (evil, seen) = peer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let client = builder().no_proxy().resolve("api.example*", evil);
    let services = [
        ReqwestService::new(client, &origin("http://api.example")).unwrap(),
        ReqwestService::danger_from_client(
            builder()
                .no_proxy()
                .resolve("api.example*", evil)
                .build()
                .unwrap(),
        ),
    ];
    for service in services {
        for path in ["*", "?@evil.example/steal"] {
            let error = call(service.clone(), by_parts("api.example", path)).await;
            let error = error.unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains("another place"), "{path}: {text}");
            assert!(!text.contains("evil") && !text.contains("api"), "{text}");
        }
    }
    assert!(!seen.is_finished());
    seen.abort();
}

#[test]
fn what_is_dialled_is_what_was_asked_for() {
    for (uri, url, same) in [
        ("https://api.example/", "https://api.example/", true),
        ("HTTPS://API.example:443", "https://api.example/x", true),
        ("http://[0:0::1]:9200/", "http://[::1]:9200/", true),
        (
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            true,
        ),
        ("https://api.example/", "https://api.example./", false),
        ("https://api.example/", "https://api.example*/", false),
        ("https://api.example/", "https://evil.example/", false),
        (
            "https://api.example/",
            "https://api.example@evil.example/",
            false,
        ),
        ("https://api.example/", "https://user@api.example/", false),
        ("https://api.example/", "https://:word@api.example/", false),
        ("https://api.example/", "http://api.example/", false),
        ("https://api.example/", "https://api.example:8443/", false),
        ("http://api.example:443/", "https://api.example/", false),
        ("http://127.1/", "http://127.1/", false),
        ("https://user@api.example/", "https://api.example/", false),
        ("https://api.example/", "data:api.example", false),
        ("/cob", "https://api.example/cob", false),
    ] {
        let (uri, parsed) = (uri.parse().unwrap(), Url::parse(url).unwrap());
        assert_eq!(dialled(&uri, &parsed).is_ok(), same, "{uri} and {url}");
    }
}

/// A URI whose host may be this machine in any spelling is rejected, or goes there directly.
#[tokio::test]
async fn no_spelling_of_loopback_goes_through_a_proxy() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let through = || Proxy::all(format!("http://{}", proxy.local_addr().unwrap())).unwrap();
    let remote = origin("https://api.example");
    let remote = ReqwestService::new(builder().proxy(through()), &remote).unwrap();
    let (nobody, _held) = nobody();
    for host in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "api.localhost",
        "127.0.0.1",
        "127.9.9.9",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0.0.0.0]",
    ] {
        for scheme in ["http", "https"] {
            let uri = format!("{scheme}://{host}:{}", nobody.port());
            let sent = call(remote.clone(), get(format!("{uri}/steal")));
            let error = sent.now_or_never().expect(&uri).unwrap_err();
            assert!(!error.is::<::reqwest::Error>(), "{uri}: {error}");
            if let Ok(here) = uri.parse::<Origin>() {
                let direct = builder().proxy(through()).resolve(host, nobody);
                let local = ReqwestService::new(direct, &here).unwrap();
                let sent = call(local, get(format!("{uri}/x"))).await;
                assert!(sent.is_err(), "{uri}");
            }
        }
    }
    // A connection would wait in the listener's queue.
    let nothing = proxy.accept().unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
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

    let no_host = origin("https://xn--a.example");
    let error = ReqwestService::new(builder(), &no_host).unwrap_err();
    assert_eq!(error.field(), "destination");
}

#[test]
fn a_ready_made_client_is_taken_as_it_is() {
    let client = builder().build().unwrap();
    let service = ReqwestService::danger_from_client(client);
    assert!(service.client().get("https://api.example").build().is_ok());
}
