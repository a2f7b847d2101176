use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quick_cache::{Lifecycle, Weighter};

use super::status::Count;
use crate::{
    duration::nanos,
    error::{OAuthError, Reason},
    lifecycle::{Clock, TokenSource},
};

/// What the pool has for a key.
#[derive(Clone)]
pub(super) enum Entry {
    Source(Arc<Pooled>),
    Failed(Arc<Failure>),
}

pub(super) struct Pooled {
    pub(super) source: TokenSource,
    /// When somebody last asked for it, in nanoseconds on the monotonic clock.
    last_used: AtomicU64,
}

/// A source that could not be made.
pub(super) struct Failure {
    pub(super) error: OAuthError,
    until: Duration,
}

impl Pooled {
    pub(super) fn new(source: TokenSource, now: Duration) -> Self {
        let pooled = Self {
            source,
            last_used: AtomicU64::new(0),
        };
        pooled.touch(now);
        pooled
    }

    pub(super) fn touch(&self, now: Duration) {
        self.last_used.fetch_max(nanos(now), Ordering::Relaxed);
    }

    fn is_idle(&self, now: Duration, timeout: Duration) -> bool {
        let last_used = self.last_used.load(Ordering::Relaxed);
        nanos(now).saturating_sub(last_used) >= nanos(timeout)
    }
}

impl Failure {
    pub(super) fn is_over(&self, now: Duration) -> bool {
        now >= self.until
    }
}

impl Entry {
    pub(super) fn failed(name: &Arc<str>, reason: Reason, clock: &Clock, memory: Duration) -> Self {
        let now = clock.now();
        let error = OAuthError::new(name.clone(), reason, Some(clock.next_attempt(now, memory)));
        let until = now.monotonic.saturating_add(memory);
        Self::Failed(Arc::new(Failure { error, until }))
    }

    pub(super) fn is_failure(&self, failure: &Arc<Failure>) -> bool {
        matches!(self, Self::Failed(own) if Arc::ptr_eq(own, failure))
    }

    /// Whether a caller is about to take a handle, has one, or a request or a fetch is under way.
    fn is_in_use(&self) -> bool {
        match self {
            Self::Source(pooled) => Arc::strong_count(pooled) > 1 || pooled.source.is_in_use(),
            Self::Failed(_) => false,
        }
    }

    /// Whether nobody would miss it. A failure that is over is not looked at again.
    pub(super) fn is_idle(&self, now: Duration, timeout: Duration) -> bool {
        match self {
            Self::Source(pooled) => pooled.is_idle(now, timeout) && !self.is_in_use(),
            Self::Failed(failure) => failure.is_over(now),
        }
    }
}

/// Each source counts as one.
#[derive(Clone, Debug)]
pub(super) struct One;

impl<K> Weighter<K, Entry> for One {
    fn weight(&self, _: &K, _: &Entry) -> u64 {
        1
    }
}

/// Spares the sources that are in use. What is evicted is dropped when the cache's lock has been released.
#[derive(Clone, Debug)]
pub(super) struct ByUse(pub(super) Arc<Count>);

impl<K> Lifecycle<K, Entry> for ByUse {
    type RequestState = Vec<(K, Entry)>;

    fn is_pinned(&self, _: &K, entry: &Entry) -> bool {
        entry.is_in_use()
    }

    fn on_evict(&self, evicted: &mut Self::RequestState, key: K, entry: Entry) {
        if matches!(entry, Entry::Source(_)) {
            Count::add(&self.0.evicted_full);
        }
        evicted.push((key, entry));
    }
}
