//! The primitives that the lifecycle's own concurrency is built on, in one place so that a model checker can stand
//! in for them: under `--cfg tower_oauth_loom` they come from `stand_ins.rs`, and `.ci/loom` runs the models.
//!
//! `Arc` and tokio's `watch` stay what they are there: the first does no more than count, and the second only says that
//! it is worth looking again.

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

/// A mutex without poisoning: what it guards is changed in whole steps that cannot panic half-way, or is a fetcher, whose
/// panics are an outcome like any other.
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

    /// `None` while somebody else has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
