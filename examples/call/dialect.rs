//! Reads a dialect's file. What is wrong with it is said by line, column and rule: TOML's own errors quote the line,
//! and somebody may have written a secret there.

use std::{fs, ops::Range, path::Path};

use tower_oauth::client_credentials::Dialect;

pub(crate) fn read(path: &Path) -> Result<Dialect, String> {
    let named = |what: String| format!("--dialect {}: {what}", path.display());
    let text = fs::read_to_string(path)
        .map_err(|error| named(format!("the file cannot be read: {error}")))?;
    toml::from_str(&text).map_err(|error| named(mistake(&text, &error)))
}

fn mistake(text: &str, error: &toml::de::Error) -> String {
    match error.span() {
        Some(span) => {
            let (line, column) = position(text, span.start);
            format!(
                "line {line}, column {column}: {}",
                rule(error.message(), value(text, span))
            )
        }
        None => rule(error.message(), ""),
    }
}

/// Both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// What the error is about, without the quotes around it.
fn value(text: &str, span: Range<usize>) -> &str {
    text.get(span).unwrap_or_default().trim_matches(['"', '\''])
}

/// What serde calls the things that it finds.
const KINDS: [&str; 14] = [
    "a string",
    "boolean",
    "enum",
    "floating point",
    "integer",
    "map",
    "newtype struct",
    "newtype variant",
    "sequence",
    "string",
    "struct variant",
    "tuple variant",
    "unit value",
    "unit variant",
];

/// The rule that was broken. serde's own sentences begin with what was found, which may be a secret, and end with what
/// was expected.
fn rule(message: &str, value: &str) -> String {
    let expected = message.rfind(", expected").map_or("", |at| &message[at..]);
    for what in ["invalid type", "invalid value"] {
        if let Some(found) = message.strip_prefix(what) {
            let found = found.trim_start_matches([':', ' ']);
            let kind = KINDS.into_iter().find(|kind| found.starts_with(kind));
            return format!("{what}: {}{expected}", kind.unwrap_or("something else"));
        }
    }
    if message.starts_with("unknown variant `") {
        return format!("unknown value{expected}");
    }
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split('`').next().filter(|name| is_name(name));
        let name = name.map_or_else(String::new, |name| format!(" `{name}`"));
        return format!("unknown key{name}{expected}");
    }
    let message = without_given(message);
    match value.len() >= 4 {
        true => message.replace(value, "[elided]"),
        false => message,
    }
}

/// The crate's own errors may repeat what was given: "invalid `field` \"given\": rule".
fn without_given(message: &str) -> String {
    match (message.find("` \""), message.rfind("\": ")) {
        (Some(field), Some(given)) if field < given => {
            [&message[..=field], &message[given + 1..]].concat()
        }
        _ => message.to_owned(),
    }
}

/// Whether a text looks like a key, and not like a secret in the place of a key.
fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphabetic() || b"_-".contains(&byte);
    name.len() <= 32 && name.bytes().all(is_part)
}
