//! Makes a record of what was sent and of what came back.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    AnswerBody, AnswerRecord, AttemptRecord, Observer, RecordedValue, RequestRecord,
    json::{self, Object},
    strike::{ELIDED, LONGEST_VALUE, Runs, Striker, cut, names_a_secret},
};
use crate::{
    FetchError,
    client_credentials::{
        credentials::{BodyEncoding, CredentialPlacement},
        dialect::Dialect,
        exchange::Answer,
        reader::Reader,
        scrub::Scrubber,
    },
    error::causes,
};

/// The most headers and members that are shown.
pub(super) const MOST_VALUES: usize = 64;

/// The most characters that are shown of an error that is no JSON.
const LONGEST_TEXT: usize = 1024;

/// The shortest token that is looked for in the rest of its answer.
const SHORTEST_ECHO: usize = 4;

/// Makes records of attempts, and tells its observer of them.
pub(in crate::client_credentials) struct Recorder {
    observer: Observer,
    request: Arc<RequestRecord>,
    reader: Arc<Reader>,
}

/// One attempt under way.
pub(in crate::client_credentials) struct Recording {
    observer: Observer,
    request: Arc<RequestRecord>,
    reader: Arc<Reader>,
    attempt: u32,
    ended: bool,
}

impl Recorder {
    pub(in crate::client_credentials) fn new(
        observer: Observer,
        request: &Request<Bytes>,
        reader: Arc<Reader>,
    ) -> Self {
        let request = Arc::new(sent(request, &reader.dialect, &reader.scrubber));
        Self {
            observer,
            request,
            reader,
        }
    }

    pub(in crate::client_credentials) fn begin(&self, attempt: u32) -> Recording {
        Recording {
            observer: self.observer.clone(),
            request: Arc::clone(&self.request),
            reader: Arc::clone(&self.reader),
            attempt,
            ended: false,
        }
    }
}

impl Recording {
    pub(in crate::client_credentials) fn end(mut self, outcome: &Result<Answer, FetchError>) {
        self.ended = true;
        self.tell(match outcome {
            Ok(answer) => Ok(received(answer, &self.reader)),
            Err(error) => Err(told(error, &self.reader.scrubber)),
        });
    }

    fn tell(&self, answer: Result<AnswerRecord, String>) {
        self.observer.tell(&AttemptRecord {
            attempt: self.attempt,
            request: Arc::clone(&self.request),
            answer,
        });
    }
}

/// An attempt that takes too long is dropped: that is worth a record, too.
impl Drop for Recording {
    fn drop(&mut self) {
        if !self.ended && !std::thread::panicking() {
            self.tell(Err("the attempt was given up before an answer came".into()));
        }
    }
}

fn sent(request: &Request<Bytes>, dialect: &Dialect, scrubber: &Scrubber) -> RequestRecord {
    let striker = Striker::new(scrubber, Vec::new());
    let (encoding, pairs) = match dialect.body {
        BodyEncoding::Form => ("form", form(request.body())),
        BodyEncoding::Json => ("JSON", json_fields(request.body())),
        BodyEncoding::Empty => ("empty", Vec::new()),
    };
    let plain = plain_fields(dialect);
    let field = |(name, value): &(String, Zeroizing<String>)| {
        let shown = plain.contains(name.as_str()) && !is_secret_field(name, dialect);
        RecordedValue {
            name: striker.value(name, Runs::Any),
            kind: "text",
            text: shown.then(|| striker.value(value, Runs::Any)),
            length: None,
        }
    };
    RequestRecord {
        method: request.method().clone(),
        url: url(request, &striker),
        headers: request_headers(request.headers(), &striker),
        encoding,
        fields: pairs.iter().map(field).collect(),
    }
}

/// Scheme, host, port and path; of the query only the names, since some servers want a key there.
fn url(request: &Request<Bytes>, striker: &Striker<'_>) -> String {
    without_values(&striker.strike(&request.uri().to_string(), Runs::Any))
}

fn without_values(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let Some((place, query)) = url.split_once('?') else {
        return cut(url, LONGEST_VALUE);
    };
    let named = |pair: &str| match pair.split_once('=') {
        Some((name, _)) => format!("{name}={ELIDED}"),
        None => ELIDED.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(named).collect();
    cut(&format!("{place}?{}", query.join("&")), LONGEST_VALUE)
}

/// The fields whose values are no secret, by what the dialect says of them.
fn plain_fields(dialect: &Dialect) -> HashSet<&str> {
    let literal = dialect.token_params.iter();
    let literal = literal.filter(|(_, value)| !value.is_secret());
    let grant = dialect.grant.pair().map(|(name, _)| name);
    let id = id_field(dialect);
    literal
        .map(|(name, _)| name.as_str())
        .chain(grant)
        .chain(id)
        .chain([dialect.scope.field.as_str()])
        .collect()
}

fn id_field(dialect: &Dialect) -> Option<&str> {
    match &dialect.credentials {
        CredentialPlacement::Body { id, .. } | CredentialPlacement::IdOnly { id } => Some(id),
        CredentialPlacement::BasicEncoded | CredentialPlacement::BasicRaw => None,
    }
}

/// A literal may be a secret that somebody wrote where none belongs. The id is none, whatever it is called.
fn is_secret_field(name: &str, dialect: &Dialect) -> bool {
    id_field(dialect) != Some(name) && names_a_secret(name)
}

fn form(body: &[u8]) -> Vec<(String, Zeroizing<String>)> {
    let body = String::from_utf8_lossy(body);
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = body.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| (decoded(name), decoded(value).into()))
        .collect()
}

fn json_fields(body: &[u8]) -> Vec<(String, Zeroizing<String>)> {
    Object::parse(body).map_or_else(Vec::new, Object::into_pairs)
}

fn request_headers(headers: &HeaderMap, striker: &Striker<'_>) -> Vec<RecordedValue> {
    let header = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let shown = json::decode(value.as_bytes());
        let text = match value.is_sensitive() || names_a_secret(name.as_str()) {
            true => basic(name, &shown),
            false => Some(striker.value(&shown, Runs::Any)),
        };
        RecordedValue {
            name: name.as_str().to_owned(),
            kind: "text",
            text,
            length: None,
        }
    };
    headers.iter().map(header).collect()
}

/// That it is Basic is no secret.
fn basic(name: &HeaderName, value: &str) -> Option<String> {
    let is_basic = name == header::AUTHORIZATION && value.starts_with("Basic ");
    is_basic.then(|| format!("Basic {ELIDED}"))
}

fn received(answer: &Answer, reader: &Reader) -> AnswerRecord {
    let no_body = Zeroizing::default();
    let body = answer.body.as_ref().unwrap_or(&no_body);
    let object = Object::parse(body);
    let tokens = object.iter().flat_map(|it| tokens(it, &reader.dialect));
    let striker = Striker::new(&reader.scrubber, tokens.collect());
    let body = match (&answer.body, &object) {
        (Err(error), _) => AnswerBody::Unreadable(told(error, &reader.scrubber)),
        (Ok(_), Some(object)) => AnswerBody::Members(members(object, answer, reader, &striker)),
        (Ok(body), None) => no_object(body, answer, reader, &striker),
    };
    AnswerRecord {
        status: answer.status,
        headers: answer_headers(&answer.headers, &striker),
        body,
    }
}

fn answer_headers(headers: &HeaderMap, striker: &Striker<'_>) -> Vec<RecordedValue> {
    let header = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let value = json::decode(value.as_bytes());
        let value_of = |value: &str| striker.value(value, Runs::Identifiers);
        let text = match name {
            _ if names_a_secret(name.as_str()) => None,
            &header::LOCATION | &header::CONTENT_LOCATION => {
                Some(value_of(&without_values(&value)))
            }
            _ => Some(value_of(&value)),
        };
        RecordedValue {
            name: cut(name.as_str(), LONGEST_VALUE),
            kind: "text",
            text,
            length: Some(value.chars().count()),
        }
    };
    headers.iter().take(MOST_VALUES).map(header).collect()
}

fn is_secret_member(path: &str, dialect: &Dialect) -> bool {
    let fields = &dialect.response;
    let is_named = |name: &String| match path.strip_prefix(name.as_str()) {
        Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
        None => false,
    };
    is_named(&fields.token)
        || fields.secondaries.iter().any(is_named)
        || (!is_named(&fields.expiry) && names_a_secret(path))
}

fn members(
    object: &Object,
    answer: &Answer,
    reader: &Reader,
    striker: &Striker<'_>,
) -> Vec<RecordedValue> {
    let dialect = &reader.dialect;
    let runs = |path: &str| match path {
        "error" | "scope" | "token_type" => Runs::Any,
        _ if path == dialect.response.expiry => Runs::Any,
        _ if answer.status.is_success() => Runs::Short,
        _ => Runs::Words,
    };
    let mut members = Vec::new();
    object.walk(|path, value| {
        if members.len() == MOST_VALUES {
            return;
        }
        let shown = !is_secret_member(path, dialect);
        members.push(RecordedValue {
            // A name, too, may be a token.
            name: striker.value(path, Runs::Identifiers),
            kind: json::kind(value),
            text: shown.then(|| striker.value(&leaf(value), runs(path))),
            length: value.as_str().map(|text| text.chars().count()),
        });
    });
    members
}

/// The members of an object or array follow under names of their own.
fn leaf(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Object(_) | Value::Array(_) | Value::Null => "".into(),
        Value::Bool(_) | Value::Number(_) => value.to_string().into(),
    }
}

/// Texts that the answer may repeat elsewhere, in a header say. Shorter ones would strike out what is none.
fn tokens<'a>(object: &'a Object, dialect: &Dialect) -> Vec<&'a str> {
    let mut tokens = Vec::new();
    object.walk(|path, value| match value.as_str() {
        Some(text) if text.len() >= SHORTEST_ECHO && is_secret_member(path, dialect) => {
            tokens.push(text);
        }
        _ => {}
    });
    tokens
}

/// A 2xx of that kind may be a bare token; an error is shown unless it speaks of one.
fn no_object(body: &[u8], answer: &Answer, reader: &Reader, striker: &Striker<'_>) -> AnswerBody {
    let hidden = |why| AnswerBody::Hidden {
        bytes: body.len(),
        why,
    };
    let text = Zeroizing::new(json::decode(body));
    if text.trim().is_empty() {
        return AnswerBody::Empty;
    }
    if answer.status.is_success() {
        return hidden("it could be a token");
    }
    if speaks_of_tokens(&text, &reader.dialect) {
        return hidden("it speaks of tokens");
    }
    AnswerBody::Text(cut(&striker.strike(&text, Runs::Words), LONGEST_TEXT))
}

fn speaks_of_tokens(text: &str, dialect: &Dialect) -> bool {
    let fields = &dialect.response;
    let named = fields.secondaries.iter().map(String::as_str);
    let mut names = named.chain([&fields.token, "access_token", "refresh_token", "id_token"]);
    names.any(|name| text.contains(name))
}

/// An error and its causes. A cause that its error already repeats is left out.
fn told(error: &FetchError, scrubber: &Scrubber) -> String {
    let mut text = String::new();
    for cause in causes(error).map(ToString::to_string) {
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    scrubber.scrub(&text)
}
