use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode;

/// The client that a bank knows.
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Credentials {
    /// The only `Authorization` that a bank accepts: Basic over the unchanged bytes of id and secret.
    pub(super) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.id, self.secret);
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }

    /// What is wrong with any other `Authorization`.
    pub(super) fn wrong_basic(&self, sent: Option<&[u8]>) -> &'static str {
        let Some(sent) = sent else {
            return "it is missing";
        };
        let Some(pair) = sent.strip_prefix(b"Basic ") else {
            return "this is another scheme";
        };
        let Ok(pair) = BASE64_STANDARD.decode(pair) else {
            return "this is not base64";
        };
        let decoded: Vec<u8> = percent_decode(&pair).collect();
        let has_id = |pair: &[u8]| {
            let rest = pair.strip_prefix(self.id.as_bytes());
            rest.is_some_and(|rest| rest.starts_with(b":"))
        };
        if decoded == [&self.id, ":", &self.secret].concat().as_bytes() {
            "id and secret are form-urlencoded, and must be as they are"
        } else if has_id(&pair) || has_id(&decoded) {
            "the secret is not the client's"
        } else {
            "the id is not the client's"
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("id", &self.id)
            .field("secret", &"[secret elided]")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anbimas_worked_example() {
        let credentials = Credentials {
            id: "aC2yaac23".into(),
            secret: "1bhS45TT".into(),
        };
        assert_eq!(credentials.basic(), "Basic YUMyeWFhYzIzOjFiaFM0NVRU");
    }
}
