//! A JSON object as it was written: in its order, and with a name that is there twice.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

/// How deep the members of members are looked at.
const DEEPEST: usize = 4;

/// Its texts are zeroized in the end.
pub(super) struct Object(Vec<(String, Value)>);

impl Object {
    /// `None`: it is something else. A byte order mark is overlooked.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let text = Zeroizing::new(decode(body));
        serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
    }

    /// The members: name, kind, and value as text.
    pub(super) fn into_fields(mut self) -> Vec<(String, &'static str, Zeroizing<String>)> {
        let members = std::mem::take(&mut self.0).into_iter();
        let field = |(name, value)| (name, kind(&value), text(value).into());
        members.map(field).collect()
    }

    /// Visits every member, and the members of members under paths such as `errors[0].code`.
    pub(super) fn walk<'a>(&'a self, mut visit: impl FnMut(&str, &'a Value)) {
        for (name, value) in &self.0 {
            walk(name, value, DEEPEST, &mut visit);
        }
    }
}

/// UTF-8, or ISO-8859-1 if it is not: a secret is then recognised in either.
pub(super) fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn walk<'a>(path: &str, value: &'a Value, deep: usize, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(path, value);
    if deep == 0 {
        return;
    }
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| walk(&format!("{path}.{name}"), value, deep - 1, visit)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| walk(&format!("{path}[{index}]"), value, deep - 1, visit)),
        _ => {}
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| wipe(value));
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object(Vec::new());
        while let Some(member) = map.next_entry()? {
            object.0.push(member);
        }
        Ok(object)
    }
}
