//! The primitives of the lifecycle's concurrency, in one place, so that a model checker can replace them: under `--cfg
//! tower_oauth_loom` they come from `stand_ins.rs`, and `.ci/loom` runs the models.
//!
//! `Arc` and tokio's `watch` are not replaced: `Arc` only counts, and `watch` only signals that the state should be
//! read again.

use std::sync::TryLockError;
pub(crate) use std::sync::atomic::Ordering;

#[cfg(not(tower_oauth_loom))]
use std::sync::{Mutex as Lock, MutexGuard};
#[cfg(not(tower_oauth_loom))]
pub(crate) use {
    arc_swap::ArcSwapOption,
    std::sync::OnceLock,
    std::sync::atomic::{AtomicU8, AtomicU64},
    tokio::{runtime, sync::Notify, task::AbortHandle, time},
};

#[cfg(tower_oauth_loom)]
mod stand_ins;
#[cfg(tower_oauth_loom)]
pub(crate) use stand_ins::{
    AbortHandle, ArcSwapOption, AtomicU8, AtomicU64, Notify, OnceLock, runtime, time,
};
#[cfg(tower_oauth_loom)]
use stand_ins::{Lock, MutexGuard};

/// A mutex without poisoning. Its value changes in steps that cannot panic half-way, or is a fetcher, whose panic is an
/// ordinary outcome.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(Lock<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Lock::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// `None` while another thread holds it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
