use std::{
    cell::RefCell,
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Entry, Shared, status::Count};
use crate::duration::nanos;

/// How many times in an idle time-out the pool looks for idle sources.
const LOOKS: u32 = 8;

/// When to look for idle sources next, in nanoseconds on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Sweep(AtomicU64);

impl Sweep {
    /// Whether it is due. Only one of those who ask at the same time gets `true`.
    fn take(&self, now: Duration, idle_timeout: Duration) -> bool {
        let due = self.0.load(Ordering::Relaxed);
        let now = nanos(now);
        let next = now.saturating_add(nanos(idle_timeout / LOOKS).max(1));
        now >= due
            && self
                .0
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl<K> Shared<K>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    pub(super) fn evict_idle_if_due(&self) {
        if self
            .sweep
            .take(self.clock.now().monotonic, self.idle_timeout)
        {
            self.evict_idle();
        }
    }

    pub(super) fn evict_idle(&self) {
        let now = self.clock.now().monotonic;
        let evicted = RefCell::new(Vec::new());
        self.cache.retain(|_, entry| {
            let is_idle = entry.is_idle(now, self.idle_timeout);
            if is_idle {
                evicted.borrow_mut().push(entry.clone());
            }
            !is_idle
        });
        // The sources end here, without the cache's lock.
        for entry in evicted.into_inner() {
            if matches!(entry, Entry::Source(_)) {
                Count::add(&self.count.evicted_idle);
            }
        }
    }
}
