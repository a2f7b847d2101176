//! A bank that is none of the four and does most things its own way, as strict as they are.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp, tz::Offset};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

pub(crate) const API_KEY: &str = "c4n4ry-key";

/// Open on loopback until it is dropped.
pub(crate) struct FifthBank {
    address: SocketAddr,
    handler: Arc<BankHandler>,
    accepting: AbortHandle,
}

/// What it has done so far.
#[derive(Default)]
struct BankHandler {
    token_requests: AtomicU64,
    /// How many further token requests are denied as too many.
    busy: AtomicU64,
    /// Tokens up to this number are good no more.
    revoked: AtomicU64,
}

impl FifthBank {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let handler = Arc::new(BankHandler::default());
        Self {
            address: listener.local_addr().unwrap(),
            accepting: tokio::spawn(accept(listener, Arc::clone(&handler))).abort_handle(),
            handler,
        }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn token_requests(&self) -> u64 {
        self.handler.token_requests.load(Ordering::SeqCst)
    }

    /// Denies the next token requests as too many, with the bank's own code.
    pub(crate) fn be_busy(&self, requests: u64) {
        self.handler.busy.store(requests, Ordering::SeqCst);
    }

    pub(crate) fn revoke_all(&self) {
        let issued = self.handler.token_requests.load(Ordering::SeqCst);
        self.handler.revoked.store(issued, Ordering::SeqCst);
    }
}

impl Drop for FifthBank {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, handler: Arc<BankHandler>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&handler)));
    }
}

async fn serve(stream: TcpStream, handler: Arc<BankHandler>) {
    let service = service_fn(|request: Request<Incoming>| async {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(handler.answer(&Request::from_parts(head, body)))
    });
    // A client that hangs up is no matter.
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

impl BankHandler {
    fn answer(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        let (status, body) = match request.uri().path() {
            "/oauth/token" => self.token(request),
            "/pix" if self.admits(request.headers()) => (200, json!({ "ok": true })),
            // Its code for a session that has ended.
            "/pix" => (419, Value::Null),
            _ => (404, Value::Null),
        };
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    fn token(&self, request: &Request<Bytes>) -> (u16, Value) {
        let number = 1 + self.token_requests.fetch_add(1, Ordering::SeqCst);
        if !is_as_documented(request) {
            return (422, json!({ "error": "invalid_request" }));
        }
        let one_less = |busy: u64| busy.checked_sub(1);
        if self
            .busy
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok()
        {
            return (400, json!({ "error": "LIMITE_EXCEDIDO" }));
        }
        let token = json!({
            "accessToken": format!("token-{number}"),
            "jwt_token": format!("jwt-{number}"),
            "expiraEm": in_an_hour_at_brasilia(),
        });
        (200, token)
    }

    /// The token without a scheme, and a second value that came with it.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let number = text("authorization").and_then(|it| it.strip_prefix("token-"));
        let number = number.and_then(|it| it.parse::<u64>().ok());
        let jwt = number.map(|number| format!("jwt-{number}"));
        number > Some(self.revoked.load(Ordering::SeqCst)) && text("jwt_token") == jwt.as_deref()
    }
}

fn is_as_documented(request: &Request<Bytes>) -> bool {
    let body: HashMap<String, Value> = serde_json::from_slice(request.body()).unwrap_or_default();
    let documented = HashMap::from([
        ("grantType".into(), json!("servico")),
        ("clientId".into(), json!("fifth-id")),
        ("clientSecret".into(), json!("c4n4ry-fifth-secret")),
        ("scopes".into(), json!(["pix", "cob"])),
        ("audience".into(), json!("payments")),
    ]);
    let header = |name| request.headers().get(name).map(|value| value.as_bytes());
    request.method() == "POST"
        && request.uri().query() == Some("channel=api")
        && header("content-type") == Some(b"application/json")
        && header("x-api-key") == Some(API_KEY.as_bytes())
        && header("authorization").is_none()
        && body == documented
}

#[allow(clippy::disallowed_methods, reason = "a bank has a clock of its own")]
fn in_an_hour_at_brasilia() -> String {
    let now = Timestamp::try_from(SystemTime::now()).unwrap();
    let then = now + SignedDuration::from_hours(1);
    let there = Offset::constant(-3).to_datetime(then);
    there.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}
