use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;

use super::credentials::{Credentials, Secrets};
use crate::testing::counters::ClientCounters;

/// One client, and what the bank knows of it.
pub(in crate::testing) struct Client {
    pub(in crate::testing) id: Arc<str>,
    secrets: Secrets,
    disabled: AtomicBool,
    counters: Mutex<ClientCounters>,
}

impl Client {
    pub(in crate::testing) fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        let id = Arc::from(id.into());
        Self {
            secrets: Secrets::new(Arc::clone(&id), secret.into()),
            id,
            disabled: AtomicBool::new(false),
            counters: Mutex::default(),
        }
    }

    pub(in crate::testing) fn current(&self) -> &Credentials {
        self.secrets.current()
    }

    /// Its credentials with a former secret that the bank still accepts.
    pub(in crate::testing) fn in_grace(&self, now: Instant) -> impl Iterator<Item = &Credentials> {
        self.secrets.in_grace(now)
    }

    pub(in crate::testing) fn set_secret(&self, secret: String, grace_until: Instant) {
        self.secrets.set_secret(secret, grace_until);
    }

    pub(in crate::testing) fn is_disabled(&self) -> bool {
        self.disabled.load(Ordering::Relaxed)
    }

    pub(super) fn set_disabled(&self, disabled: bool) {
        self.disabled.store(disabled, Ordering::Relaxed);
    }

    pub(super) fn counters(&self) -> ClientCounters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::testing) fn count(&self, count: impl FnOnce(&mut ClientCounters)) {
        count(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
