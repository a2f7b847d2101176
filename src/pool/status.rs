use std::{
    cmp::Reverse,
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
};

#[cfg(feature = "metrics")]
use metrics::{counter, gauge};
use serde::Serialize;

use super::{Entry, Shared};
#[cfg(feature = "metrics")]
use crate::metrics as names;
use crate::{
    FailureClass,
    lifecycle::{SourceState, Status, Summary, TokenSource},
};

/// How many sources [`PoolStatus::worst`] holds.
const WORST: usize = 5;

/// A pool's state at one moment, for health pages and metrics. [`SourcePool::status`](super::SourcePool::status)
/// returns it.
///
/// # Examples
///
/// ```
/// use tower::service_fn;
/// use tower_oauth::{BoxError, Token, TokenRequest, TokenSource, pool::SourcePool};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// let pool = SourcePool::builder(|customer: u32| async move {
///     let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
///     TokenSource::builder(fetcher).name(format!("bank/{customer}")).build()
/// })
/// .build()?;
/// pool.source(&1).await?.ready().await?;
/// pool.source(&2).await?;
///
/// let status = pool.status();
/// assert_eq!((status.sources.total, status.sources.fresh, status.sources.missing), (2, 1, 1));
/// assert!(status.worst.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PoolStatus {
    /// The pool's name.
    pub name: String,
    /// How many sources the pool keeps when it is full.
    pub capacity: u64,
    /// The sources in the pool now.
    pub sources: SourceCounts,
    /// The sources that have failed since their last success, at most five: permanent failures first, then those that
    /// have failed most often in a row.
    pub worst: Vec<Status>,
    /// Sources made since the pool was built.
    pub made: u64,
    /// Calls of the function that makes the sources that returned an error.
    pub not_made: u64,
    /// Sources dropped because they had not been used for the idle time-out.
    pub evicted_idle: u64,
    /// Sources dropped because the pool was full.
    pub evicted_full: u64,
}

/// How many sources of a pool are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SourceCounts {
    /// All of them.
    pub total: u64,
    /// See [`SourceState::Missing`].
    pub missing: u64,
    /// See [`SourceState::Fresh`].
    pub fresh: u64,
    /// See [`SourceState::Stale`].
    pub stale: u64,
    /// See [`SourceState::Suspended`].
    pub suspended: u64,
    /// See [`SourceState::Expired`].
    pub expired: u64,
    /// Those with a fetch under way, whatever their state.
    pub fetching: u64,
    /// Those whose last fetch failed, whatever their state.
    pub failing: u64,
    /// Those whose last failure is [permanent](FailureClass::Permanent).
    pub failing_for_good: u64,
}

/// Counts since the pool was built. Relaxed: each is read alone, and no decision depends on them.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) made: AtomicU64,
    pub(super) not_made: AtomicU64,
    pub(super) evicted_idle: AtomicU64,
    pub(super) evicted_full: AtomicU64,
}

impl Count {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl SourceCounts {
    fn add(&mut self, summary: &Summary) {
        self.total += 1;
        *match summary.state {
            SourceState::Missing => &mut self.missing,
            SourceState::Fresh => &mut self.fresh,
            SourceState::Stale => &mut self.stale,
            SourceState::Suspended => &mut self.suspended,
            SourceState::Expired => &mut self.expired,
        } += 1;
        self.fetching += u64::from(summary.fetching);
        if let Some((class, _)) = summary.failing {
            self.failing += 1;
            self.failing_for_good += u64::from(class == FailureClass::Permanent);
        }
    }
}

#[cfg(feature = "metrics")]
impl PoolStatus {
    /// Sets the metrics of this pool to what the status shows. Feature `metrics`. Call it before each scrape. Of two
    /// pools with one name the last one counts.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_oauth::pool::PoolStatus;
    /// fn scrape(status: PoolStatus) {
    ///     status.record_metrics();
    /// }
    /// ```
    pub fn record_metrics(&self) {
        let pool = || self.name.clone();
        let counts = &self.sources;
        for (state, count) in [
            ("missing", counts.missing),
            ("fresh", counts.fresh),
            ("stale", counts.stale),
            ("suspended", counts.suspended),
            ("expired", counts.expired),
        ] {
            gauge!(names::POOL_SOURCES, "pool" => pool(), "state" => state).set(count as f64);
        }
        let others = counts.failing - counts.failing_for_good;
        for (class, count) in [("permanent", counts.failing_for_good), ("other", others)] {
            gauge!(names::POOL_FAILING, "pool" => pool(), "class" => class).set(count as f64);
        }
        gauge!(names::POOL_CAPACITY, "pool" => pool()).set(self.capacity as f64);
        for (outcome, count) in [("made", self.made), ("failed", self.not_made)] {
            counter!(names::POOL_MADE, "pool" => pool(), "outcome" => outcome).absolute(count);
        }
        for (reason, count) in [("idle", self.evicted_idle), ("full", self.evicted_full)] {
            counter!(names::POOL_EVICTED, "pool" => pool(), "reason" => reason).absolute(count);
        }
    }
}

impl PoolStatus {
    pub(super) fn of<K>(shared: &Shared<K>) -> Self
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        let mut counts = SourceCounts::default();
        let mut failing: Vec<((bool, u32), TokenSource)> = Vec::new();
        for (_, entry) in shared.cache.iter() {
            let Entry::Source(pooled) = entry else {
                continue;
            };
            let summary = pooled.source.summary();
            counts.add(&summary);
            if let Some((class, consecutive)) = summary.failing {
                let rank = (class == FailureClass::Permanent, consecutive);
                failing.push((rank, pooled.source.clone()));
            }
        }
        failing.sort_by_key(|(rank, _)| Reverse(*rank));
        let worst = failing.iter().take(WORST);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            name: shared.name.to_string(),
            capacity: shared.cache.capacity(),
            sources: counts,
            worst: worst.map(|(_, source)| source.status()).collect(),
            made: read(&shared.count.made),
            not_made: read(&shared.count.not_made),
            evicted_idle: read(&shared.count.evicted_idle),
            evicted_full: read(&shared.count.evicted_full),
        }
    }
}
