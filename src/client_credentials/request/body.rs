//! The body of a token request: its fields, and the two ways of writing them.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::{Client, ResolvedParam};
use crate::{
    ConfigError,
    client_credentials::dialect::{BodyEncoding, Dialect, ParamValue, ScopeFormat},
    form::form_urlencoded,
};

/// The most bytes that one byte of a value becomes: `\u0000` in JSON, `%00` in a form.
const WORST_GROWTH: usize = 6;

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Bool(bool),
    List(&'a [String]),
}

impl Value<'_> {
    fn joined(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Bool(is) => Cow::Owned(is.to_string()),
            Self::List(list) => Cow::Owned(list.join(" ")),
        }
    }
}

struct Fields<'a>(Vec<(&'a str, Value<'a>)>);

pub(super) fn encode(
    dialect: &Dialect,
    client: &Client,
    extra: &[ResolvedParam<'_>],
) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let fields = Fields::of(dialect, client, extra);
    match dialect.body {
        BodyEncoding::Form => Ok(fields.form()),
        BodyEncoding::Json => fields.json(),
        BodyEncoding::Empty => Ok(Zeroizing::default()),
    }
}

impl<'a> Fields<'a> {
    /// In the order in which the providers' documents show them.
    fn of(dialect: &'a Dialect, client: &'a Client, extra: &'a [ResolvedParam<'_>]) -> Self {
        let mut fields = Self(Vec::new());
        if let Some((name, value)) = dialect.grant_pair() {
            fields.push(name, value);
        }
        fields.push_credentials(dialect, client);
        fields.push_scopes(dialect, client);
        for extra in extra {
            let value = match extra.plain {
                ParamValue::Number(number) => Value::Number(*number),
                ParamValue::Bool(is) => Value::Bool(*is),
                _ => Value::Text(Cow::Borrowed(extra.value.expose())),
            };
            fields.0.push((extra.name, value));
        }
        fields
    }

    fn push(&mut self, name: &'a str, value: &'a str) {
        self.0.push((name, Value::Text(Cow::Borrowed(value))));
    }

    /// Without an assertion itself: each attempt has its own.
    fn push_credentials(&mut self, dialect: &'a Dialect, client: &'a Client) {
        if let Some(id) = dialect.id_field() {
            self.push(id, client.id.as_str());
        }
        if let Some(secret) = dialect.secret_field() {
            self.push(secret, client.secret());
        }
        if let Some((name, value)) = dialect.assertion_type() {
            self.push(name, value);
        }
    }

    fn push_scopes(&mut self, dialect: &'a Dialect, client: &'a Client) {
        if client.scopes.is_empty() {
            return;
        }
        let value = match dialect.scope.format {
            ScopeFormat::SpaceJoined => Value::Text(Cow::Owned(client.scopes.join(" "))),
            ScopeFormat::CommaJoined => Value::Text(Cow::Owned(client.scopes.join(","))),
            ScopeFormat::JsonArray => Value::List(&client.scopes),
        };
        self.0.push((&dialect.scope.field, value));
    }

    fn form(&self) -> Zeroizing<Vec<u8>> {
        let mut body = self.buffer();
        for (name, value) in &self.0 {
            if !body.is_empty() {
                body.push(b'&');
            }
            body.extend_from_slice(form_urlencoded(name).as_bytes());
            body.push(b'=');
            body.extend_from_slice(form_urlencoded(&value.joined()).as_bytes());
        }
        body
    }

    fn json(&self) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
        let mut body = self.buffer();
        serde_json::to_writer(&mut *body, self)
            .map_err(|_| ConfigError::new("body", "cannot be written as JSON"))?;
        Ok(body)
    }

    /// Large enough never to be moved: a move would leave a copy of the secret behind.
    fn buffer(&self) -> Zeroizing<Vec<u8>> {
        let longest = |(name, value): &(&str, Value<'_>)| {
            WORST_GROWTH * (name.len() + value.joined().len()) + 8
        };
        let longest: usize = self.0.iter().map(longest).sum();
        Zeroizing::new(Vec::with_capacity(longest + 2))
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
