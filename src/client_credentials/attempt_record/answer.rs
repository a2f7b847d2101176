//! The answer as it may be shown.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, header};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    AnswerBody, AnswerRecord, RecordedValue,
    json::{self, Object},
    redact::{LONGEST_VALUE, Redactor, Runs, cut, names_a_secret},
    request::without_values,
};
use crate::{
    FetchError,
    client_credentials::{
        dialect::Dialect,
        response::{Answer, End, Reader, Scrubber, json as lenient},
    },
    error::causes,
};

/// The most headers and members that are shown.
const MOST_VALUES: usize = 64;

/// The most characters that are shown of an error that is no JSON.
const LONGEST_TEXT: usize = 1024;

/// The shortest token that is looked for in the rest of its answer.
const SHORTEST_ECHO: usize = 4;

pub(super) fn received(answer: &Answer, reader: &Reader) -> AnswerRecord {
    let bytes = &*answer.body.bytes;
    let object = Object::parse(bytes);
    let tokens: Vec<_> = object
        .iter()
        .flat_map(|it| tokens(it, reader.dialect()))
        .collect();
    // Each is looked for at every character of the answer.
    let has_too_many = tokens.len() > MOST_VALUES;
    let tokens = if has_too_many { Vec::new() } else { tokens };
    let assertion = answer.assertion.iter().map(|it| it.as_str());
    let tokens = tokens.into_iter().chain(assertion);
    let redactor = Redactor::new(reader.scrubber(), tokens);
    let body = match (&answer.body.end, &object) {
        _ if has_too_many => AnswerBody::Hidden {
            bytes: bytes.len(),
            why: "it has too many secrets",
        },
        (End::TooLong, _) => AnswerBody::Unreadable("it is longer than 64 KiB".into()),
        (_, Some(object)) => AnswerBody::Members(members(object, answer, reader, &redactor)),
        (End::Broken(error), None) => AnswerBody::Unreadable(shown_error(error, reader.scrubber())),
        (End::Whole, None) => no_object(bytes, answer, reader, &redactor),
    };
    AnswerRecord {
        status: answer.status,
        headers: match has_too_many {
            true => Vec::new(),
            false => answer_headers(&answer.headers, reader.dialect(), &redactor),
        },
        body,
    }
}

fn answer_headers(
    headers: &HeaderMap,
    dialect: &Dialect,
    redactor: &Redactor<'_>,
) -> Vec<RecordedValue> {
    let header = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let value = json::decode(value.as_bytes());
        let value_of = |value: &str| redactor.value(value, Runs::Identifiers);
        let text = match name {
            _ if names_a_secret(name.as_str()) || is_token_header(name, dialect) => None,
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

/// Whether the header holds the token or a value that comes with it.
fn is_token_header(name: &HeaderName, dialect: &Dialect) -> bool {
    let fields = &dialect.response;
    let mut secrets = fields
        .extras
        .iter()
        .chain(&fields.other_token)
        .chain([&fields.token]);
    fields.in_headers && secrets.any(|it| it == name.as_str())
}

fn is_secret_member(path: &str, dialect: &Dialect) -> bool {
    let fields = &dialect.response;
    let is_named = |name: &String| match path.strip_prefix(name.as_str()) {
        Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
        None => false,
    };
    is_named(&fields.token)
        || fields
            .extras
            .iter()
            .chain(&fields.other_token)
            .any(is_named)
        || (!is_named(&fields.expiry) && names_a_secret(path))
}

fn members(
    object: &Object,
    answer: &Answer,
    reader: &Reader,
    redactor: &Redactor<'_>,
) -> Vec<RecordedValue> {
    let dialect = reader.dialect();
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
            name: redactor.value(path, Runs::Identifiers),
            kind: json::kind(value),
            text: shown.then(|| redactor.value(&leaf(value), runs(path))),
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

/// Texts that the answer may repeat elsewhere, such as in a header. Shorter ones are found in other texts by chance.
fn tokens<'a>(object: &'a Object, dialect: &Dialect) -> Vec<&'a str> {
    let mut tokens = Vec::new();
    object.walk(|path, value| match value.as_str() {
        Some(text) if is_secret_member(path, dialect) => tokens.push(text.trim()),
        _ => {}
    });
    tokens.retain(|token| token.len() >= SHORTEST_ECHO);
    tokens
}

/// A 2xx of that kind may be a bare token; an error is shown unless it speaks of one.
fn no_object(body: &[u8], answer: &Answer, reader: &Reader, redactor: &Redactor<'_>) -> AnswerBody {
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
    if speaks_of_tokens(&text, reader.dialect()) || has_secret_member(body, reader.dialect()) {
        return hidden("it speaks of tokens");
    }
    AnswerBody::Text(cut(&redactor.redact(&text, Runs::Words), LONGEST_TEXT))
}

fn speaks_of_tokens(text: &str, dialect: &Dialect) -> bool {
    let fields = &dialect.response;
    let named = fields.extras.iter().map(String::as_str);
    let mut names = named.chain([&fields.token, "access_token", "refresh_token", "id_token"]);
    let bare = |text: &str| {
        let shown = text.chars().filter(char::is_ascii_alphanumeric);
        Zeroizing::new(shown.collect::<String>().to_ascii_lowercase())
    };
    let text = bare(text);
    names.any(|name| text.contains(bare(name).as_str()))
}

/// What the strict parser does not take may be an object to the reader of tokens.
fn has_secret_member(body: &[u8], dialect: &Dialect) -> bool {
    let members = lenient::members(body);
    members.is_ok_and(|it| it.keys().any(|name| is_secret_member(name, dialect)))
}

/// An error and its causes. A cause that its error already repeats is left out.
pub(super) fn shown_error(error: &FetchError, scrubber: &Scrubber) -> String {
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
