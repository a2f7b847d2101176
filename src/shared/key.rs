//! The name under which a source's token is stored.

use std::fmt::Write;

use aws_lc_rs::hmac;

/// Collects what two sources must have in common to share a token.
pub(crate) struct StoreKey(hmac::Context);

impl StoreKey {
    pub(crate) fn new(kind: &str) -> Self {
        // The key separates these names from other hashes, and is no secret.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"tower-oauth shared token v1");
        Self(hmac::Context::with_key(&key)).with(kind)
    }

    /// Adds a part. Its length goes before it: no two lists of parts are the same text.
    pub(crate) fn with(mut self, part: &str) -> Self {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part.as_bytes());
        self
    }

    pub(crate) fn finish(self) -> String {
        let tag = self.0.sign();
        tag.as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
