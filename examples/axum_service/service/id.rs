use std::fmt;

use serde::Deserialize;

const LONGEST: usize = 64;

/// A part of a path from outside that is safe in a bank's URL: no dots, no slashes. Anything else is answered with 400.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Id(String);

impl TryFrom<String> for Id {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        match text.len() <= LONGEST && text.bytes().all(harmless) {
            true => Ok(Self(text)),
            false => Err("must be at most 64 letters, digits and hyphens"),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
