//! The primitives that the lifecycle's own concurrency is built on, in one place so that a model checker can stand
//! in for them.

use std::sync::{MutexGuard, PoisonError};

pub(crate) use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
pub(crate) use tokio::sync::Notify;

/// A mutex without poisoning: what it guards is changed in whole steps that cannot panic half-way.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
