//! The few operations that a store must have.

use std::{
    fmt::{self, Display},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use super::{memory::MemoryStore, redis::RedisStore, sealing::SealingKeys};
use crate::{BoxError, Clock, ConfigError};

/// How long one operation may take, the connection included.
pub(super) const BOUND: Duration = Duration::from_millis(250);

pub(super) type Operation<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What a store holds under one name, at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The store's own time since the epoch.
    pub(super) now: Duration,
    pub(super) token: Option<Vec<u8>>,
    pub(super) pause: Option<Vec<u8>>,
    /// Who holds the lease.
    pub(super) holder: Option<String>,
}

/// The answer to whoever wants the lease.
#[derive(Debug)]
pub(super) enum Lease {
    /// `fence`: higher than that of every lease before, as long as the store keeps its data.
    Granted { fence: u64, seen: Snapshot },
    /// Somebody else holds it.
    Held(Option<String>),
}

#[derive(Debug)]
pub(super) enum StoreError {
    TimedOut,
    /// The store rejects the password or the database, or a permission is missing.
    AccessDenied(BoxError),
    Failed(BoxError),
}

impl StoreError {
    pub(super) fn cause(&self) -> &dyn Display {
        match self {
            Self::TimedOut => &"no answer within 250 ms",
            Self::AccessDenied(cause) | Self::Failed(cause) => cause,
        }
    }
}

/// A lease as its holder shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder<'a> {
    pub(super) owner: &'a str,
    pub(super) fence: u64,
}

/// # Invariants
///
/// 1. At most one owner holds the lease of a name at a time, by the store's own clock.
/// 2. What is written under a fence is refused once a newer lease was granted: an old fetch that is slow cannot replace
///    a newer token.
/// 3. A release takes away the owner's own lease, and nobody else's.
pub(super) trait TokenStore: Send + Sync + 'static {
    fn load<'a>(&'a self, name: &'a str) -> Operation<'a, Snapshot>;

    fn try_lease<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> Operation<'a, Lease>;

    /// Writes a token that the store drops at `expires_at` (its own time), ends a pause, and releases the lease.
    /// Returns whether it was written.
    fn store_if_newer<'a>(
        &'a self,
        name: &'a str,
        holder: Holder<'a>,
        sealed: Vec<u8>,
        expires_at: Duration,
    ) -> Operation<'a, bool>;

    /// Writes a pause that the store drops after `ttl`, and releases the lease. Returns whether it was written.
    fn pause<'a>(
        &'a self,
        name: &'a str,
        holder: Holder<'a>,
        sealed: Vec<u8>,
        ttl: Duration,
    ) -> Operation<'a, bool>;

    fn end_pause<'a>(&'a self, name: &'a str) -> Operation<'a, ()>;

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> Operation<'a, ()>;
}

/// A store that replicas share, and the keys that seal what is in it. Clones are cheap, and share the connection.
#[derive(Clone)]
pub struct SharedStore {
    pub(super) engine: Arc<dyn TokenStore>,
    pub(super) keys: SealingKeys,
    pub(super) prefix: Arc<str>,
}

impl SharedStore {
    /// Uses Redis, or another server with its protocol (Valkey, KeyDB), at a URL: `redis://`, or `rediss://` for TLS
    /// with the machine's root certificates. It connects at first use, and again after a failure.
    ///
    /// The server must know `EVALSHA`, and be of version 5 or later.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the URL. The URL is not shown: it may hold a password.
    pub fn redis(url: &str, keys: SealingKeys) -> Result<Self, ConfigError> {
        Ok(Self::over(RedisStore::at(url)?, keys))
    }

    /// Uses Redis over a connection of your own: multiplexed, a `ConnectionManager`, or one to a cluster. It is one of
    /// the crate `redis` 1.x.
    ///
    /// All keys of one source are in one slot of a cluster.
    pub fn redis_over<C>(connection: C, keys: SealingKeys) -> Self
    where
        C: ::redis::aio::ConnectionLike + Clone + Send + Sync + 'static,
    {
        Self::over(RedisStore::over(connection), keys)
    }

    /// Creates a store within this process, for tests of your own. It runs on the given clock.
    pub fn in_memory(clock: Clock, keys: SealingKeys) -> Self {
        Self::over(MemoryStore::new(clock), keys)
    }

    /// Sets what the names of all keys begin with. Default: `tower-oauth:`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into().into();
        self
    }

    pub(super) fn over(engine: impl TokenStore, keys: SealingKeys) -> Self {
        Self {
            engine: Arc::new(engine),
            keys,
            prefix: "tower-oauth:".into(),
        }
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore")
            .field("prefix", &self.prefix)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
