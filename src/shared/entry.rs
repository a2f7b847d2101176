//! What is sealed: a token, or a pause after a failure. Times are the store's own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::sealing::Opened;
use crate::{
    FailureClass, FetchError, FetchErrorKind, ObtainedFrom, Token, TokenRequest, duration::millis,
};

/// How often a replica looks whether the pause of another one was ended early.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
pub(super) struct StoredToken {
    value: String,
    extras: Vec<(String, String)>,
    issued_at: u64,
}

impl StoredToken {
    pub(super) fn new(token: &Token, issued_at: Duration) -> Self {
        let extras = token.extras();
        Self {
            value: token.expose().to_owned(),
            extras: extras
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            issued_at: millis(issued_at),
        }
    }

    /// The token, if it has life left. `elapsed`: how long ago the request was started.
    pub(super) fn read(
        opened: &Opened,
        now: Duration,
        request: &TokenRequest,
        elapsed: Duration,
    ) -> Option<Token> {
        let mut stored: Self = serde_json::from_slice(&opened.content).ok()?;
        let (issued_at, ends_at) = (stored.issued_at, opened.ends_at);
        if ends_at <= millis(now) {
            return None;
        }
        let lifetime = Duration::from_millis(ends_at.checked_sub(issued_at)?);
        // The two clocks are never compared: only what the store counted goes over to the replica's.
        let age = Duration::from_millis(millis(now).saturating_sub(issued_at));
        let mut token = Token::new(std::mem::take(&mut stored.value))
            .with_lifetime(lifetime)
            .with_issued_at((request.started_at() + elapsed).checked_sub(age)?)
            .with_obtained_from(ObtainedFrom::Store);
        for (name, value) in std::mem::take(&mut stored.extras) {
            token = token.with_extra(name, value);
        }
        Some(token)
    }
}

impl Drop for StoredToken {
    fn drop(&mut self) {
        self.value.zeroize();
        let extras = self.extras.iter_mut();
        extras.for_each(|(_, value)| value.zeroize());
    }
}

/// A failure after which all replicas back off.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Pause {
    class: char,
    code: Option<String>,
    /// How many have failed in a row.
    pub(super) failures: u32,
    /// The replica that met it. It backs off by itself.
    pub(super) owner: String,
    /// Of a denial, which credential was denied.
    denied: Option<String>,
}

impl Pause {
    pub(super) fn new(
        error: &FetchError,
        failures: u32,
        owner: &str,
        credential: Option<&str>,
    ) -> Self {
        Self {
            denied: credential.filter(|_| error.is_denial()).map(str::to_owned),
            class: match error.class() {
                FailureClass::Transient => 't',
                FailureClass::Unclear => 'u',
                FailureClass::Permanent => 'p',
            },
            code: error.code().map(str::to_owned),
            failures,
            owner: owner.to_owned(),
        }
    }

    pub(super) fn read(opened: &Opened) -> Option<Self> {
        serde_json::from_slice(&opened.content).ok()
    }

    /// Whether it says anything of this credential: one that was replaced after a denial may be accepted.
    pub(super) fn concerns(&self, credential: Option<&str>) -> bool {
        self.denied.is_none() || self.denied.as_deref() == credential
    }

    /// The failure as another replica sees it.
    pub(super) fn error(&self, left: Duration) -> FetchError {
        let (class, kind) = match self.class {
            'p' => (FailureClass::Permanent, FetchErrorKind::Denied),
            'u' => (FailureClass::Unclear, FetchErrorKind::Malformed),
            _ => (FailureClass::Transient, FetchErrorKind::Unavailable),
        };
        let message = "the token request of another replica failed, and all replicas back off";
        FetchError::new(class, kind, message)
            .of_another_replica(self.code.as_deref(), left.min(LOOK_AGAIN))
    }
}

pub(super) fn encode<T: Serialize>(entry: &T) -> Option<Zeroizing<Vec<u8>>> {
    // With room for a large token: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *bytes, entry).ok()?;
    Some(bytes)
}
