//! A strict token endpoint and API on loopback, made from a recorded exchange.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_TYPE};

use super::{Exchange, RecordedAnswer};
use crate::testing::{
    acceptor::Acceptor,
    bank::Bank,
    reply::{Reply, whole},
    server::{Handler, Server},
};

/// Headers that any HTTP client adds, and that no document shows.
const CLIENTS_OWN: [&str; 4] = ["connection", "content-length", "host", "user-agent"];

/// The field with the client's assertion (RFC 7523 §2.2).
const ASSERTION: &str = "client_assertion";

/// Where the API is. Everything else is the token endpoint.
const API: &str = "/recorded-api";

/// A bank made from a recorded [`Exchange`], on loopback until it is dropped. Use it in tests only.
///
/// The token endpoint accepts the recorded request and nothing else, and gives the recorded answer. The API accepts
/// the headers that the exchange names. [`differences`](Self::differences) returns what did not match.
pub struct RecordedBank {
    handler: Arc<RecordedHandler>,
    server: Server,
}

struct RecordedHandler {
    exchange: Exchange,
    #[cfg(feature = "jwt")]
    signed: Option<super::signed::Signed>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answer: usize,
    token_requests: u32,
    differences: Vec<String>,
}

impl Bank {
    /// Serves a recorded exchange on a port of loopback; 0 is a free one. Call it within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if it cannot listen on the port, if a setting about the assertion cannot be read, or if there is one and
    /// the cargo feature `jwt` is off.
    pub async fn from_exchange(exchange: Exchange, port: u16) -> io::Result<RecordedBank> {
        #[cfg(not(feature = "jwt"))]
        if exchange.setting("assertion").is_some() {
            let needs = "an exchange with an assertion needs the cargo feature `jwt`";
            return Err(io::Error::new(io::ErrorKind::Unsupported, needs));
        }
        let handler = Arc::new(RecordedHandler {
            #[cfg(feature = "jwt")]
            signed: super::signed::Signed::of(&exchange)?,
            exchange,
            state: Mutex::default(),
        });
        let server = Server::start(port, Acceptor::Plain, Arc::clone(&handler)).await?;
        Ok(RecordedBank { handler, server })
    }
}

impl RecordedBank {
    /// Returns the URL of the token endpoint, with the recorded query.
    pub fn token_url(&self) -> String {
        format!(
            "{}{}",
            self.server.origin(),
            self.handler.exchange.request.path
        )
    }

    /// Returns scheme, host and port.
    pub fn origin(&self) -> String {
        self.server.origin()
    }

    /// Returns the URL of the API.
    pub fn api_url(&self) -> String {
        format!("{}{API}", self.server.origin())
    }

    /// Returns the key that the client signs its assertions with, if the exchange has one. It is made anew for each
    /// bank.
    #[cfg(feature = "jwt")]
    pub fn client_key(&self) -> Option<&crate::testing::ClientKey> {
        self.handler.signed.as_ref().map(|it| &it.key)
    }

    /// Answers token requests with the recorded answer of this number from now on. Default: 0, the good one.
    pub fn answer_with(&self, answer: usize) {
        self.handler.state().answer = answer;
    }

    /// Returns how many token requests came.
    pub fn token_requests(&self) -> u32 {
        self.handler.state().token_requests
    }

    /// Returns how requests differed from the exchange, member by member. A value of the request is not shown: it may
    /// be a secret.
    pub fn differences(&self) -> Vec<String> {
        self.handler.state().differences.clone()
    }
}

impl fmt::Debug for RecordedBank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RecordedBank");
        debug
            .field("origin", &self.origin())
            .finish_non_exhaustive()
    }
}

impl RecordedHandler {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, differences: Vec<String>, good: impl FnOnce() -> Response<Bytes>) -> Reply {
        let response = match differences.is_empty() {
            true => good(),
            false => {
                let error = serde_json::json!({"error": "invalid_request", "error_description": differences.join("; ")});
                let mut answer = Response::new(Bytes::from(error.to_string()));
                *answer.status_mut() = StatusCode::BAD_REQUEST;
                answer
            }
        };
        self.state().differences.extend(differences);
        Reply::respond(response.map(whole))
    }

    fn token_reply(&self, request: &Request<Bytes>) -> Reply {
        let answer = {
            let mut state = self.state();
            state.token_requests += 1;
            state.answer
        };
        let answer = &self.exchange.answers[answer.min(self.exchange.answers.len() - 1)];
        self.respond(self.of_token_request(request), || recorded(answer))
    }

    fn of_token_request(&self, request: &Request<Bytes>) -> Vec<String> {
        let expected = &self.exchange.request;
        let mut found = Vec::new();
        if request.method() != "POST" {
            found.push("method: must be POST".to_owned());
        }
        let path = request.uri().path_and_query().map(|it| it.as_str());
        if path != Some(expected.path.as_str()) {
            found.push(format!("path: must be {}", expected.path));
        }
        let known =
            |name: &str| CLIENTS_OWN.contains(&name) && !expected.headers.contains_key(name);
        let extra = request.headers().keys().filter(|it| !known(it.as_str()));
        let extra = extra.filter(|it| !expected.headers.contains_key(*it));
        found.extend(extra.map(|it| format!("header `{it}`: the document does not have it")));
        found.extend(headers_that_differ(&expected.headers, request.headers()));
        let body = String::from_utf8_lossy(request.body());
        match self.recorded_body(request, &body) {
            Ok(recorded) => found.extend(bodies_that_differ(&recorded, &body)),
            Err(reason) => found.push(format!("field `{ASSERTION}`: {reason}")),
        }
        found
    }

    /// With the assertion of this request in its place, if it has a good one.
    fn recorded_body(&self, request: &Request<Bytes>, body: &str) -> Result<String, String> {
        #[cfg(feature = "jwt")]
        if let Some(signed) = &self.signed {
            let sent = fields(body).remove(ASSERTION);
            return signed.fill(&self.exchange, request, sent.as_deref());
        }
        let _ = (request, body);
        Ok(self.exchange.request.body.clone())
    }

    fn api_reply(&self, request: &Request<Bytes>) -> Reply {
        let good = self.exchange.answers.first();
        let meaning = good.map(|it| it.meaning.as_slice()).unwrap_or_default();
        let mut expected = HeaderMap::new();
        for (name, value) in meaning.iter().filter_map(|it| it.split_once(": ")) {
            if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
                expected.insert(name, value);
            }
        }
        let mut found = headers_that_differ(&expected, request.headers());
        let has_own = request.headers().contains_key("authorization");
        if has_own && !expected.contains_key("authorization") {
            found.push("header `authorization`: the document does not have it".to_owned());
        }
        self.respond(found, || Response::new(Bytes::from_static(b"{}")))
    }
}

impl Handler for RecordedHandler {
    fn handle(&self, request: &Request<Bytes>) -> Reply {
        match request.uri().path() == API {
            true => self.api_reply(request),
            false => self.token_reply(request),
        }
    }
}

fn recorded(answer: &RecordedAnswer) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(answer.body.clone()));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    let headers = response.headers_mut();
    let json = http::HeaderValue::from_static("application/json");
    headers.entry(CONTENT_TYPE).or_insert(json);
    response
}

fn headers_that_differ(expected: &HeaderMap, sent: &HeaderMap) -> Vec<String> {
    let differs = |(name, value): (&http::HeaderName, &http::HeaderValue)| match sent.get(name) {
        None => Some(format!("header `{name}`: is missing")),
        Some(sent) if sent != value => Some(format!(
            "header `{name}`: has another value than the document's"
        )),
        Some(_) => None,
    };
    expected.iter().filter_map(differs).collect()
}

/// Field by field, and then byte by byte.
fn bodies_that_differ(expected: &str, sent: &str) -> Vec<String> {
    let (wanted, given) = (fields(expected), fields(sent));
    let mut found = Vec::new();
    for (name, value) in &wanted {
        match given.get(name) {
            None => found.push(format!("field `{name}`: is missing")),
            Some(given) if given != value => {
                found.push(format!(
                    "field `{name}`: has another value than the document's"
                ));
            }
            Some(_) => {}
        }
    }
    let extra = given.keys().filter(|it| !wanted.contains_key(*it));
    found.extend(extra.map(|it| format!("field `{it}`: the document does not have it")));
    if found.is_empty() && expected != sent {
        found.push("body: its fields are in another order, or are encoded otherwise".to_owned());
    }
    found
}

fn fields(body: &str) -> BTreeMap<String, String> {
    match serde_json::from_str::<BTreeMap<String, serde_json::Value>>(body) {
        Ok(members) => members
            .into_iter()
            .map(|(name, it)| (name, it.to_string()))
            .collect(),
        Err(_) => form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect(),
    }
}
