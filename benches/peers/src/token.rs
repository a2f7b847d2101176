//! The token that every peer sends, and what they share to get it.

use std::{
    future::Future,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ORIGIN, USER_AGENT},
};
use tokio::runtime::Runtime;
use tower::service_fn;
use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};

use crate::measure::Case;

pub(crate) const API: &str = "https://api.example/cob/1";

/// Longer than a measurement.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);

/// As long as a JWT that banks issue.
pub(crate) static TOKEN: LazyLock<String> = LazyLock::new(|| "t".repeat(1200));

/// Runs what peers do in the background; their requests with a fresh token wait for nothing.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

static LOOKING: AtomicBool = AtomicBool::new(false);
static SENT: AtomicUsize = AtomicUsize::new(0);

/// The length of the `Authorization` that a request of this case carries.
pub(crate) fn sent_by(case: &Case) -> usize {
    SENT.store(0, Ordering::Relaxed);
    LOOKING.store(true, Ordering::Relaxed);
    case.once();
    LOOKING.store(false, Ordering::Relaxed);
    SENT.load(Ordering::Relaxed)
}

/// For the innermost part of each stack; while requests are timed it looks at nothing.
pub(crate) fn look(authorization: impl FnOnce() -> Option<usize>) {
    if LOOKING.load(Ordering::Relaxed) {
        SENT.store(authorization().unwrap_or(0), Ordering::Relaxed);
    }
}

pub(crate) fn look_at(headers: &HeaderMap) {
    look(|| headers.get(AUTHORIZATION).map(HeaderValue::len));
}

/// The result of a request, which has nothing to wait for.
pub(crate) fn now<T, E: std::fmt::Debug>(request: impl Future<Output = Result<T, E>>) -> T {
    let result = request.now_or_never().expect("nothing to wait for");
    result.expect("nothing to fail")
}

/// What each request holds before it gets its token.
pub(crate) fn put_headers(headers: &mut HeaderMap) {
    let value = HeaderValue::from_static;
    headers.insert(ACCEPT, value("application/json"));
    headers.insert(USER_AGENT, value("bench/1"));
    headers.insert(ORIGIN, value("https://bench.example"));
    headers.insert(CONTENT_TYPE, value("application/json"));
}

/// Refcounted, as a value made at run time is.
pub(crate) fn value() -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {}", *TOKEN)).expect("a header value")
}

/// This crate's source, with its token: its origin listed, both clocks and the look at the response.
pub(crate) fn source() -> TokenSource {
    let fetcher = service_fn(|_: TokenRequest| async {
        Ok::<_, BoxError>(Token::new(TOKEN.as_str()).with_lifetime(LIFETIME))
    });
    let source = TokenSource::builder(fetcher)
        .origin("https://api.example")
        .build()
        .expect("a source");
    RUNTIME.block_on(source.ready()).expect("a token");
    source
}

/// The address of a token endpoint on loopback, for peers that take their token from nowhere else.
pub(crate) fn endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.expect("a connection")).expect("a token request");
        }
    });
    format!("http://{address}/token")
}

fn serve(stream: std::net::TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = format!(
        r#"{{"access_token":"{}","token_type":"Bearer","expires_in":{}}}"#,
        *TOKEN,
        LIFETIME.as_secs()
    );
    write!(
        &stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
