//! Compares the scopes of an answer with those that were asked for.

use std::sync::atomic::{AtomicBool, Ordering};

use super::members::Members;

/// The scopes that were asked for. RFC 6749 §5.1: an answer names its scopes if they differ. Sicredi grants fewer, and
/// the lack shows only at the API.
pub(super) struct AskedScopes {
    scopes: Vec<String>,
    /// One warning is enough.
    has_warned: AtomicBool,
}

impl AskedScopes {
    pub(super) fn new(scopes: &[String]) -> Self {
        Self {
            scopes: scopes.to_vec(),
            has_warned: AtomicBool::new(false),
        }
    }

    /// Warns, once, of scopes that the answer does not grant. Names only what the user asked for.
    pub(super) fn compare(&self, provider: &str, members: &Members) {
        let Some(granted) = members.text("scope").filter(|it| !it.trim().is_empty()) else {
            return;
        };
        let has = |scope: &&String| {
            let mut granted = granted.split([' ', ',']);
            !granted.any(|it| it == scope.as_str())
        };
        let missing: Vec<_> = self.scopes.iter().filter(has).cloned().collect();
        if !missing.is_empty() && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                provider,
                missing = missing.join(" "),
                "the token has fewer scopes than were asked for; the API will answer 403 where they are needed"
            );
        }
    }
}
