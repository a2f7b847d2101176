//! What all handles of one identity share: the pair in use, and how it changes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{expiry::Warnings, material::Material, pair::Pair, text};
use crate::{
    ConfigError,
    lifecycle::{Clock, WeakTokenSource},
};

/// # Invariants
///
/// 1. A pair was checked before it is in `current`. It comes with its version in one step: whoever reads a version
///    finds that pair or a later one.
/// 2. Sources are told after `current` has changed, never before.
/// 3. A pair replaces only the one that was in use when the look at the files began. Of two looks at once, the one that
///    began first would otherwise put an older pair over a newer one.
pub(super) struct Shared {
    pub(super) material: Material,
    pub(super) interval: Duration,
    pub(super) clock: Clock,
    pub(super) current: ArcSwap<Current>,
    notes: Mutex<Notes>,
    sources: Mutex<Vec<WeakTokenSource>>,
    /// Whether a task watches, see [`watch`](super::watch).
    pub(super) watched: AtomicBool,
    /// Sends nothing: its end tells the task that the last handle is gone.
    pub(super) handles: watch::Sender<()>,
}

/// The pair in use.
pub(super) struct Current {
    pub(super) pair: Pair,
    pub(super) version: u64,
    fingerprint: u64,
}

/// What has been said already.
#[derive(Default)]
struct Notes {
    complaint: Option<String>,
    expiry: Warnings,
}

/// What a look at the files found.
pub(super) enum Found {
    Same,
    Changed(Box<Change>),
    Broken(ConfigError),
}

/// A new pair.
pub(super) struct Change {
    pair: Pair,
    fingerprint: u64,
    /// The version in use when the look began.
    over: u64,
}

impl Shared {
    pub(super) fn new(
        material: Material,
        interval: Duration,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let now = clock.wall();
        let (pair, fingerprint) = settled(&material, now)?;
        if !pair.is_valid_yet(now) {
            tracing::warn!(
                serial = pair.status.serial,
                not_before = text::moment(pair.status.not_before),
                "the client certificate is not valid yet; servers may reject it"
            );
        }
        if let Some(path) = material.exposed_key() {
            tracing::warn!(
                path = %path.display(),
                "every user of this machine can read the client certificate's key; set its mode to 0400 or 0440"
            );
        }
        let shared = Self {
            material,
            interval,
            clock,
            current: ArcSwap::from_pointee(Current {
                pair,
                version: 1,
                fingerprint,
            }),
            notes: Mutex::default(),
            sources: Mutex::default(),
            watched: AtomicBool::new(false),
            handles: watch::Sender::new(()),
        };
        shared.warn_of_expiry();
        Ok(shared)
    }

    /// Reads the files, and checks what is new. It blocks, and changes nothing.
    pub(super) fn look(&self) -> Found {
        let (now, current) = (self.clock.wall(), self.current.load());
        let same = |fingerprint| fingerprint == current.fingerprint;
        match self
            .material
            .read()
            .map(|content| same(content.fingerprint))
        {
            Ok(true) => return Found::Same,
            Ok(false) => {}
            Err(error) => return Found::Broken(error),
        }
        match settled(&self.material, now) {
            Ok((_, fingerprint)) if same(fingerprint) => Found::Same,
            Ok((pair, _)) if !pair.is_valid_yet(now) && !current.pair.has_expired(now) => {
                Found::Broken(self.material.wrong_certificate(format!(
                    "the certificate is not valid before {}; the one in use stays until then",
                    text::moment(pair.status.not_before)
                )))
            }
            Ok((pair, fingerprint)) => Found::Changed(Box::new(Change {
                pair,
                fingerprint,
                over: current.version,
            })),
            Err(error) => Found::Broken(error),
        }
    }

    /// Puts what was found into use; whether that changed anything.
    pub(super) fn apply(&self, found: Found) -> Result<bool, ConfigError> {
        let Change {
            pair,
            fingerprint,
            over,
        } = match found {
            Found::Same => {
                self.notes().complaint = None;
                return Ok(false);
            }
            Found::Broken(error) => return Err(error),
            Found::Changed(change) => *change,
        };
        {
            let mut notes = self.notes();
            let current = self.current.load();
            if current.fingerprint == fingerprint || current.version != over {
                return Ok(false);
            }
            *notes = Notes::default();
            tracing::info!(
                serial = pair.status.serial,
                not_after = text::moment(pair.status.not_after),
                "the client certificate has changed"
            );
            self.current.store(Arc::new(Current {
                pair,
                version: current.version + 1,
                fingerprint,
            }));
        }
        self.sources().retain(WeakTokenSource::refresh_outdated);
        Ok(true)
    }

    /// One warning for one mistake, however often it is found.
    pub(super) fn complain(&self, error: &ConfigError) {
        let complaint = error.to_string();
        let mut notes = self.notes();
        if notes.complaint.as_ref() != Some(&complaint) {
            let current = self.current.load();
            let in_use = &current.pair.status;
            tracing::warn!(
                error = complaint,
                serial = in_use.serial,
                not_after = text::moment(in_use.not_after),
                "the client certificate's files changed and cannot be used; the certificate in use stays"
            );
            notes.complaint = Some(complaint);
        }
    }

    pub(super) fn warn_of_expiry(&self) {
        let (now, current) = (self.clock.wall(), self.current.load());
        let status = &current.pair.status;
        if !self.notes().expiry.is_due(status.not_after, now) {
            return;
        }
        let left = status.not_after.duration_since(now);
        tracing::warn!(
            serial = status.serial,
            not_after = text::moment(status.not_after),
            days_left = left.as_ref().map_or(0, |it| it.as_secs() / (24 * 60 * 60)),
            "{}",
            match left {
                Ok(_) => "the client certificate expires soon",
                Err(_) => "the client certificate has expired",
            }
        );
    }

    pub(super) fn add(&self, source: WeakTokenSource) {
        let mut sources = self.sources();
        sources.retain(WeakTokenSource::is_alive);
        sources.push(source);
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sources(&self) -> MutexGuard<'_, Vec<WeakTokenSource>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads and checks. Files that change between the reading of one and of the other are read once more.
fn settled(material: &Material, now: SystemTime) -> Result<(Pair, u64), ConfigError> {
    let content = material.read()?;
    let error = match material.parse(&content, now) {
        Ok(pair) => return Ok((pair, content.fingerprint)),
        Err(error) => error,
    };
    let again = material.read()?;
    match again.fingerprint == content.fingerprint {
        true => Err(error),
        false => Ok((material.parse(&again, now)?, again.fingerprint)),
    }
}

#[cfg(all(test, feature = "testing-tls"))]
mod tests {
    use std::{env, fs, process};

    use crate::identity::Identity;

    #[test]
    fn a_look_that_began_before_a_change_does_not_undo_it() {
        let path = env::temp_dir().join(format!("tower-oauth-{}-two-looks.pem", process::id()));
        let replace = || {
            let pair = rcgen::generate_simple_self_signed(["me".to_owned()]).unwrap();
            let pem = [pair.cert.pem(), pair.signing_key.serialize_pem()].concat();
            fs::write(&path, pem).unwrap();
        };
        replace();
        let identity = Identity::pem_file(&path).build().unwrap();
        replace();
        let early = identity.shared().look();
        replace();
        assert!(identity.reload().unwrap());
        let newest = identity.certificate().serial;
        assert!(!identity.shared().apply(early).unwrap());
        assert_eq!(identity.certificate().serial, newest);
        fs::remove_file(&path).unwrap();
    }
}
