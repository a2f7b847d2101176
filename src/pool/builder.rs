use std::{fmt, hash::Hash, sync::Arc, time::Duration};

use quick_cache::{OptionsBuilder, sync::Cache};

use super::{ByUse, Count, Made, One, Shared, SourcePool, Sweep};
use crate::{error::ConfigError, lifecycle::Clock, text::check_name};

/// With fewer sources in a part of the cache, chance would fill one part long before the others.
const LEAST_IN_A_PART: usize = 1000;
const MOST_PARTS: usize = 16;

/// Builds a [`SourcePool`]. [`SourcePool::builder`] returns it.
#[must_use]
pub struct SourcePoolBuilder<K> {
    make: Box<dyn Fn(K) -> Made + Send + Sync>,
    name: String,
    capacity: usize,
    idle_timeout: Duration,
    failure_memory: Duration,
    clock: Clock,
}

impl<K> SourcePoolBuilder<K>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    pub(super) fn new(make: Box<dyn Fn(K) -> Made + Send + Sync>) -> Self {
        Self {
            make,
            name: "pool".into(),
            capacity: 10_000,
            idle_timeout: Duration::from_secs(60 * 60),
            failure_memory: Duration::from_secs(5),
            clock: Clock::system(),
        }
    }

    /// Sets the pool's name in status and errors. Default: `pool`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how many sources the pool keeps. Default: 10,000.
    ///
    /// When it is full, a new source replaces one that has been used little. A source that is in use is never evicted:
    /// if all are, the pool holds more. Keep it larger than the number of customers that are active within a token's
    /// lifetime: an evicted customer's next request fetches a token again.
    pub fn capacity(mut self, sources: usize) -> Self {
        self.capacity = sources;
        self
    }

    /// Sets after which time without a call for it a source is dropped. Default: 1 h.
    ///
    /// It is checked eight times within that time, when somebody asks the pool for a source.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets for how long the error is returned again when a source could not be made, before the function is called
    /// once more. Default: 5 s.
    pub fn failure_memory(mut self, memory: Duration) -> Self {
        self.failure_memory = memory;
        self
    }

    /// Sets the clock. Default: [`Clock::system`]. Tests with paused time use [`Clock::tokio`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the pool. It makes no source yet.
    ///
    /// # Errors
    ///
    /// Returns the first setting that cannot work: a name that is empty or contains an invisible character, a capacity
    /// of zero, an idle time-out of zero.
    pub fn build(self) -> Result<SourcePool<K>, ConfigError> {
        self.check().map_err(|error| error.of(&self.name))?;
        let count = Arc::new(Count::default());
        let parts = (self.capacity / LEAST_IN_A_PART).clamp(1, MOST_PARTS);
        let options = OptionsBuilder::new()
            .shards(parts)
            .estimated_items_capacity(self.capacity)
            .weight_capacity(self.capacity as u64)
            .build()
            .map_err(|_| ConfigError::new("capacity", "is too large").of(&self.name))?;
        let hasher = std::hash::RandomState::new();
        Ok(SourcePool {
            shared: Arc::new(Shared {
                cache: Cache::with_options(options, One, hasher, ByUse(count.clone())),
                name: self.name.into(),
                make: self.make,
                idle_timeout: self.idle_timeout,
                failure_memory: self.failure_memory,
                sweep: Sweep::default(),
                count,
                clock: self.clock,
            }),
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        if self.capacity == 0 {
            return Err(ConfigError::new("capacity", "must be at least 1").given_value(&0));
        }
        if self.idle_timeout.is_zero() {
            return Err(
                ConfigError::new("idle_timeout", "must be longer than zero").given_value(&"0s")
            );
        }
        Ok(())
    }
}

impl<K> fmt::Debug for SourcePoolBuilder<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcePoolBuilder")
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .field("idle_timeout", &self.idle_timeout)
            .field("failure_memory", &self.failure_memory)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
