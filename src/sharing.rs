//! What a fetcher that shares its tokens with other processes shows in the status.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde::Serialize;

/// Carries what a fetcher that shares its tokens has seen of the store to the source's status. Clones share one state.
///
/// `shared::SharedLayer` (feature `redis`) fills it. Give it to
/// [`TokenSourceBuilder::sharing`](crate::TokenSourceBuilder::sharing).
#[derive(Clone, Debug, Default)]
pub struct Sharing(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    #[cfg(feature = "redis")]
    has_read: AtomicBool,
    #[cfg(feature = "redis")]
    has_written: AtomicBool,
    bypassed: AtomicBool,
    bypasses: AtomicU64,
    leases: AtomicU64,
    store_failures: AtomicU64,
    lease_holder: Mutex<Option<String>>,
}

/// The state of the shared store as one replica saw it last; [`Status::sharing`](crate::Status::sharing) holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SharingStatus {
    /// Whether this replica fetches by itself because the store is down.
    pub bypassed: bool,
    /// Attempts that were made without the store, because it was down.
    pub bypasses: u64,
    /// Leases that were granted to this replica, which then fetched for all.
    pub leases: u64,
    /// Operations of the store that failed or took too long.
    pub store_failures: u64,
    /// Which replica held the lease when it was last seen: an id without meaning, new with each start.
    pub lease_holder: Option<String>,
}

impl Sharing {
    /// Returns what was seen last.
    pub fn status(&self) -> SharingStatus {
        SharingStatus {
            bypassed: self.0.bypassed.load(Ordering::Relaxed),
            bypasses: self.0.bypasses.load(Ordering::Relaxed),
            leases: self.0.leases.load(Ordering::Relaxed),
            store_failures: self.0.store_failures.load(Ordering::Relaxed),
            lease_holder: self.holder().clone(),
        }
    }

    fn holder(&self) -> MutexGuard<'_, Option<String>> {
        let locked = self.0.lease_holder.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a replica does with the store. It may be permitted to do the one and not the other.
#[cfg(feature = "redis")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    Read,
    Write,
}

#[cfg(feature = "redis")]
impl Sharing {
    /// Returns whether this is the first bypass since the store last worked.
    pub(crate) fn bypass(&self) -> bool {
        self.0.bypasses.fetch_add(1, Ordering::Relaxed);
        !self.0.bypassed.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn granted(&self) {
        self.0.leases.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn store_failed(&self) {
        self.0.store_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the store has ever worked in this way.
    pub(crate) fn has_worked(&self, access: Access) -> bool {
        self.flag(access).load(Ordering::Relaxed)
    }

    fn flag(&self, access: Access) -> &AtomicBool {
        match access {
            Access::Read => &self.0.has_read,
            Access::Write => &self.0.has_written,
        }
    }

    pub(crate) fn store_works(&self, access: Access) {
        self.flag(access).store(true, Ordering::Relaxed);
        self.0.bypassed.store(false, Ordering::Relaxed);
    }

    pub(crate) fn held_by(&self, owner: Option<&str>) {
        *self.holder() = owner.map(str::to_owned);
    }
}
