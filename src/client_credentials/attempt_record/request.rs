//! The request as it may be shown.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, header};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::{
    RecordedValue, RequestRecord,
    json::{self, Object},
    redact::{ELIDED, LONGEST_VALUE, Redactor, Runs, cut, names_a_secret},
};
use crate::client_credentials::{
    dialect::{BodyEncoding, Dialect},
    response::Scrubber,
};

pub(super) fn sent(
    request: &Request<Bytes>,
    dialect: &Dialect,
    scrubber: &Scrubber,
) -> RequestRecord {
    let redactor = Redactor::new(scrubber, []);
    let (encoding, fields) = match dialect.body {
        BodyEncoding::Form => ("form", form(request.body())),
        BodyEncoding::Json => ("JSON", json_fields(request.body())),
        BodyEncoding::Empty => ("empty", Vec::new()),
    };
    let plain = plain_fields(dialect);
    // Of which the request here, the same for all attempts, has none yet.
    let assertion = dialect.assertion_use().map(|usage| RecordedValue {
        name: usage.field().to_owned(),
        kind: "text",
        text: None,
        length: None,
    });
    let field = |SentField { name, kind, value }: &SentField| {
        let shown = plain.contains(name.as_str()) && !is_secret_field(name, dialect);
        RecordedValue {
            name: redactor.value(name, Runs::Any),
            kind,
            text: shown.then(|| redactor.value(value, Runs::Any)),
            length: None,
        }
    };
    RequestRecord {
        method: request.method().clone(),
        url: url(request, &redactor),
        headers: request_headers(request.headers(), &redactor),
        encoding,
        fields: fields.iter().map(field).chain(assertion).collect(),
    }
}

/// Scheme, host, port and path; of the query only the names, since some servers want a key there.
fn url(request: &Request<Bytes>, redactor: &Redactor<'_>) -> String {
    without_values(&redactor.redact(&request.uri().to_string(), Runs::Any))
}

pub(super) fn without_values(url: &str) -> String {
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
    let grant = dialect.grant_pair().map(|(name, _)| name);
    let assertion_type = dialect.assertion_type().map(|(name, _)| name);
    literal
        .map(|(name, _)| name.as_str())
        .chain(grant)
        .chain(dialect.id_field())
        .chain(assertion_type)
        .chain([dialect.scope.field.as_str()])
        .collect()
}

/// A literal may be a secret that somebody wrote where none belongs. The id is none, whatever it is called, and neither
/// is the type of an assertion.
fn is_secret_field(name: &str, dialect: &Dialect) -> bool {
    let assertion_type = dialect.assertion_type().map(|(name, _)| name);
    ![dialect.id_field(), assertion_type].contains(&Some(name)) && names_a_secret(name)
}

/// A field of the body, before anything is shown out.
struct SentField {
    name: String,
    kind: &'static str,
    value: Zeroizing<String>,
}

fn form(body: &[u8]) -> Vec<SentField> {
    let body = String::from_utf8_lossy(body);
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = body.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| SentField {
            name: decoded(name),
            kind: "text",
            value: decoded(value).into(),
        })
        .collect()
}

fn json_fields(body: &[u8]) -> Vec<SentField> {
    let fields = Object::parse(body).map_or_else(Vec::new, Object::into_fields);
    let field = |(name, kind, value)| SentField { name, kind, value };
    fields.into_iter().map(field).collect()
}

fn request_headers(headers: &HeaderMap, redactor: &Redactor<'_>) -> Vec<RecordedValue> {
    let header = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let shown = json::decode(value.as_bytes());
        let text = match value.is_sensitive() || names_a_secret(name.as_str()) {
            true => basic(name, &shown),
            false => Some(redactor.value(&shown, Runs::Any)),
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
