//! The members of an answer, which is to be one JSON object.

use http::header::CONTENT_ENCODING;
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::exchange::Answer;
use crate::FetchError;

/// What is left of them is zeroized in the end: a refresh token that nobody asked for, say.
#[derive(Default)]
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// Takes the answer's body.
    pub(super) fn of(answer: &mut Answer) -> Result<Self, FetchError> {
        if is_compressed(answer) {
            return Err(FetchError::malformed(
                "the answer is compressed, which was not asked for",
            ));
        }
        let body = std::mem::replace(&mut answer.body, Ok(Zeroizing::default()))?;
        parse(&body).map(Self)
    }

    /// A member that is there and not `null`.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A member, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A string that a header can carry.
    pub(super) fn take(&mut self, name: &str) -> Result<String, FetchError> {
        let rule = match self.0.get_mut(name) {
            Some(Value::String(text)) if text.trim().is_empty() => "is empty",
            Some(Value::String(text)) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                return Ok(std::mem::take(text));
            }
            Some(Value::String(_)) => "holds bytes that no header may hold",
            Some(_) => "is not a string",
            None => "is missing",
        };
        Err(FetchError::malformed(format!(
            "the answer's `{name}` {rule}"
        )))
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

fn is_compressed(answer: &Answer) -> bool {
    let encodings = answer.headers.get_all(CONTENT_ENCODING);
    encodings
        .iter()
        .any(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, FetchError> {
    let text = body.trim_ascii();
    // The parser's own errors may quote what they stumbled over.
    let what = match serde_json::from_slice(text) {
        Ok(Value::Object(members)) => return Ok(members),
        Ok(_) => "the answer is JSON, but no object",
        Err(_) if text.is_empty() => "the answer is empty",
        Err(_) if text.starts_with(b"<") => "the answer is HTML or XML; check the token URL",
        Err(error) if error.is_eof() => "the answer breaks off",
        Err(_) => "the answer is not JSON",
    };
    Err(FetchError::malformed(what))
}
