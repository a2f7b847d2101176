use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};

/// The client that a bank knows.
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Credentials {
    /// The one `Authorization` that a bank takes: the bytes of id and secret as they are.
    pub(super) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.id, self.secret);
        format!("Basic {}", BASE64_STANDARD.encode(pair))
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
