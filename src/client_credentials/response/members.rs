//! The members of an answer, which must be one JSON object.

use std::{collections::BTreeMap, mem};

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::{
    answer::{Answer, Body, End},
    json::{self, Broken, Value},
};
use crate::FetchError;

/// Some servers write it before UTF-8, though RFC 8259 §8.1 forbids it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What an `error` holds that is none, also where a server writes its values as texts.
const SAYS_NOTHING: [&str; 4] = ["", "null", "false", "0"];

/// The whole answer is zeroized in the end: it may hold a refresh token, which the crate does not use.
#[derive(Default)]
pub(super) struct Members {
    body: Zeroizing<Vec<u8>>,
    spans: json::Members,
}

impl Members {
    /// Takes the answer's body. A complete object counts, even if the body broke off or the headers contradict it.
    pub(super) fn of(answer: &mut Answer) -> Result<Self, FetchError> {
        let Body { bytes: body, end } = mem::take(&mut answer.body);
        match json::members(json_text(&body)) {
            Ok(spans) => Ok(Self { body, spans }),
            Err(rule) => Err(match end {
                End::Whole => no_object(&body, rule, answer),
                End::Broken(error) => error,
                End::TooLong if is_compressed(answer) => compressed(),
                End::TooLong => FetchError::malformed("the answer is longer than 64 KiB"),
            }),
        }
    }

    /// The headers of an answer, as texts. Written as JSON, so that one reader reads both.
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let texts = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let texts: BTreeMap<&str, &str> = texts.collect();
        let body = Zeroizing::new(serde_json::to_vec(&texts).unwrap_or_default());
        let spans = json::members(&body).unwrap_or_default();
        Self { body, spans }
    }

    /// A member that is there and not `null`.
    pub(super) fn get(&self, name: &str) -> Option<Value<'_>> {
        self.any(name).filter(|value| *value != Value::Bare("null"))
    }

    /// A member that is there, and may be `null`.
    pub(super) fn any(&self, name: &str) -> Option<Value<'_>> {
        at_path(json_text(&self.body), &self.spans, name)
    }

    /// A member, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An error code: a string, or a number other than zero as it is written.
    pub(super) fn code(&self, name: &str) -> Option<Zeroizing<String>> {
        let value = self.get(name)?;
        let is_code = value.number().is_some_and(|number| number != 0.0);
        match value {
            Value::Text(text) => (!SAYS_NOTHING.contains(&text.trim())).then_some(text),
            Value::Bare(text) if is_code => Some(text.to_owned().into()),
            _ => None,
        }
    }

    /// Whether a member says anything: some servers write an empty `error` into every answer.
    pub(super) fn says(&self, name: &str) -> bool {
        match self.get(name) {
            None | Some(Value::Bare("false")) => false,
            Some(Value::Text(text)) => !SAYS_NOTHING.contains(&text.trim()),
            Some(Value::List { is_empty } | Value::Object { is_empty }) => !is_empty,
            Some(value @ Value::Bare(_)) => value.number() != Some(0.0),
        }
    }
}

/// A member by its name, else by a path such as `data.token`.
fn at_path<'a>(text: &'a [u8], spans: &json::Members, path: &str) -> Option<Value<'a>> {
    if let Some(span) = spans.get(path) {
        return Some(Value::of(&text[span.clone()]));
    }
    let (outer, rest) = path.split_once('.')?;
    let inner = &text[spans.get(outer)?.clone()];
    at_path(inner, &json::members(inner).ok()?, rest)
}

fn json_text(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// The error for a body that is no object. It never quotes the body.
fn no_object(body: &[u8], rule: Broken, answer: &Answer) -> FetchError {
    let text = json_text(body).trim_ascii();
    let rule = match text.first() {
        None => return FetchError::cut_short("the answer is empty"),
        Some(b'{') => rule,
        Some(_) if is_compressed(answer) => return compressed(),
        Some(_) => match serde_json::from_slice::<IgnoredAny>(text) {
            Ok(_) => return FetchError::malformed("the answer is JSON, but no object"),
            Err(error) if error.is_eof() => Broken::CutShort,
            Err(_) => Broken::Malformed,
        },
    };
    if rule == Broken::CutShort || is_shorter_than_announced(body, answer) {
        return FetchError::cut_short("the answer breaks off");
    }
    FetchError::malformed(match text {
        [b'<', ..] => "the answer is HTML or XML; check the token URL",
        _ => "the answer is not JSON",
    })
}

fn compressed() -> FetchError {
    FetchError::malformed("the answer is compressed, which was not asked for")
}

fn is_compressed(answer: &Answer) -> bool {
    let encodings = answer.headers.get_all(CONTENT_ENCODING);
    encodings
        .iter()
        .any(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Not every client reports this as an error: if an HTTP/2 stream ends without an error, a client may accept the part
/// that came.
fn is_shorter_than_announced(body: &[u8], answer: &Answer) -> bool {
    let announced = answer.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|it| it.to_str().ok()?.trim().parse::<u64>().ok());
    announced.is_some_and(|announced| announced > body.len() as u64)
}
