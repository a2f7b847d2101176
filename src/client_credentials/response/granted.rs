//! Compares the scopes of an answer with those that were asked for.

use std::sync::atomic::Ordering;

use super::{
    members::Members,
    reader::{Reader, Warned},
};

impl Reader {
    /// Warns, once, of scopes that the answer does not grant. Names only what the user asked for.
    ///
    /// RFC 6749 §5.1: an answer names its scopes if they differ. Sicredi grants fewer, and the lack shows only at the
    /// API.
    pub(super) fn warn_of_missing_scopes(&self, members: &Members, warned: &Warned) {
        let Some(granted) = members.text("scope").filter(|it| !it.trim().is_empty()) else {
            return;
        };
        let has = |scope: &&String| {
            let mut granted = granted.split([' ', ',']);
            !granted.any(|it| it == scope.as_str())
        };
        let missing: Vec<_> = self.scopes.iter().filter(has).cloned().collect();
        if !missing.is_empty() && !warned.of_scopes.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                provider = &*self.name,
                missing = missing.join(" "),
                "the token has fewer scopes than were asked for; the API will answer 403 where they are needed"
            );
        }
    }
}
