//! A token source for each of many customers, made on demand (feature `pool`).
//!
//! A platform has a credential per customer at the same bank. [`SourcePool`] keeps the sources of those that are active,
//! makes a source when a customer's first request comes, and drops it when the customer has been idle.
//! [`OAuthLayer::from_extension`](crate::OAuthLayer::from_extension) takes the source from the request.
//!
//! Give all sources of a bank one [`TokenEndpoint`](crate::TokenEndpoint): they share its pauses and its rate.
//!
//! Do not use a pool for a fixed handful of clients: keep their sources in variables.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_oauth::{BoxError, OAuthLayer, Token, TokenRequest, TokenSource, pool::SourcePool};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let pool = SourcePool::builder(|customer: u32| async move {
//!     // Read the customer's credential here.
//!     let fetcher = service_fn(move |_: TokenRequest| async move {
//!         Ok::<_, BoxError>(Token::new(format!("token-of-{customer}")))
//!     });
//!     TokenSource::builder(fetcher).name(format!("bank/{customer}")).build()
//! })
//! .capacity(10_000)
//! .idle_timeout(Duration::from_secs(1800))
//! .build()?;
//!
//! let client = service_fn(|request: Request<String>| async move {
//!     assert_eq!(request.headers()["authorization"], "Bearer token-of-17");
//!     Ok::<_, BoxError>(Response::new("paid"))
//! });
//! let mut api = ServiceBuilder::new().layer(OAuthLayer::from_extension()).service(client);
//!
//! let mut request = Request::get("https://api.example/cob/1").body(String::new())?;
//! request.extensions_mut().insert(pool.source(&17).await?);
//! assert_eq!(api.ready().await?.call(request).await?.body(), &"paid");
//! # Ok(())
//! # }
//! ```

mod builder;
mod entry;
mod status;
mod sweep;

use std::{fmt, future::Future, hash::Hash, pin::Pin, sync::Arc, time::Duration};

use quick_cache::sync::Cache;

pub use self::{
    builder::SourcePoolBuilder,
    status::{PoolStatus, SourceCounts},
};
use self::{
    entry::{ByUse, Entry, One, Pooled},
    status::Count,
    sweep::Sweep,
};
use crate::{
    error::{BoxError, OAuthError, Reason},
    lifecycle::{Clock, TokenSource},
};

type Made = Pin<Box<dyn Future<Output = Result<TokenSource, BoxError>> + Send>>;

/// Token sources by key, such as a customer's id, or a customer and a product.
///
/// It is a cheap handle, and clones share everything. When the last one is dropped, all its sources end, except those
/// that a request still uses: they end with the request.
///
/// The pool has no task and no timer. Idle sources are dropped when somebody asks the pool for a source.
///
/// # Clone
///
/// A clone is another handle to the same pool.
///
/// # Examples
///
/// See [the module](self).
pub struct SourcePool<K> {
    shared: Arc<Shared<K>>,
}

/// # Invariants
///
/// 1. At most one source of a key is in the pool, and at most one call of `make` for a key is under way, unless the key
///    is removed meanwhile. Those who ask wait for it. If its caller is dropped, one of them makes the call again.
/// 2. A source that is in use is not evicted. Its handles are cloned under the lock under which evictions decide, so none
///    is taken in between.
/// 3. No source and no error is dropped under that lock: that runs the user's code.
struct Shared<K> {
    name: Arc<str>,
    make: Box<dyn Fn(K) -> Made + Send + Sync>,
    cache: Cache<K, Entry, One, std::hash::RandomState, ByUse>,
    idle_timeout: Duration,
    failure_memory: Duration,
    sweep: Sweep,
    count: Arc<Count>,
    clock: Clock,
}

impl<K> SourcePool<K>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    /// Returns a builder for a pool whose sources this function makes.
    ///
    /// The function gets the key, reads the customer's credential, and builds a source. It runs in the task of the
    /// caller that asks first. Give each source a [name](crate::TokenSourceBuilder::name) that holds the key, such as
    /// `efi/17`: status, logs and errors show it. Share what is the same for all: the dialect, the transport, and the
    /// [`TokenEndpoint`](crate::TokenEndpoint).
    ///
    /// The function must not ask the same pool for the same key: it would wait for itself.
    pub fn builder<F, Fut, E>(make: F) -> SourcePoolBuilder<K>
    where
        F: Fn(K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<TokenSource, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        SourcePoolBuilder::new(Box::new(move |key| {
            let made = make(key);
            Box::pin(async move { made.await.map_err(Into::into) })
        }))
    }

    /// Returns the source of a key, and makes it if there is none.
    ///
    /// Put it into the request's extensions, and drop other handles soon: as long as one exists, the source is not
    /// evicted. Eight times within the idle time-out, a call looks at all sources for idle ones before it returns.
    ///
    /// # Errors
    ///
    /// Returns the error of the function that makes the sources, to all who wait for that key, and to all who ask for
    /// it within the [failure memory](SourcePoolBuilder::failure_memory). Its kind is
    /// [`SourceNotMade`](crate::OAuthErrorKind::SourceNotMade), and [`retry_after`](OAuthError::retry_after) says when
    /// the function is called again.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. If the caller that makes the source is dropped, another one that waits makes it.
    pub async fn source(&self, key: &K) -> Result<TokenSource, OAuthError> {
        let shared = &self.shared;
        loop {
            let found = shared.cache.get_value_or_guard_async(key).await;
            let entry = match found {
                Ok(entry) => entry,
                Err(place) => {
                    let entry = shared.make(key).await;
                    // If the key was removed meanwhile, what was made may rest on what is no longer true.
                    if place.insert(entry.clone()).is_err() {
                        continue;
                    }
                    // However short the failure memory: its own caller would otherwise make it for ever.
                    if let Entry::Failed(failure) = &entry {
                        return Err(failure.error.clone());
                    }
                    entry
                }
            };
            match entry {
                Entry::Source(pooled) => {
                    pooled.touch(shared.clock.now().monotonic);
                    let source = pooled.source.clone();
                    shared.evict_idle_if_due();
                    return Ok(source);
                }
                Entry::Failed(failure) if !failure.is_over(shared.clock.now().monotonic) => {
                    return Err(failure.error.clone());
                }
                Entry::Failed(failure) => {
                    let is_same = |entry: &Entry| entry.is_failure(&failure);
                    drop(shared.cache.remove_if(key, is_same));
                }
            }
        }
    }

    /// Removes the source of a key, and forgets its failure. Returns whether there was one.
    ///
    /// Call it when the customer's credential was replaced or revoked. Requests that have the source already go on
    /// with it; the next [`source`](Self::source) makes a new one.
    pub fn remove(&self, key: &K) -> bool {
        let removed = self.shared.cache.remove(key);
        removed.is_some()
    }

    /// Drops the sources that have not been used for the idle time-out. [`source`](Self::source) does it now and then;
    /// call it from a timer of your own if the pool may be without traffic for long.
    pub fn evict_idle(&self) {
        self.shared.evict_idle();
    }

    /// Returns the pool's state now, for health pages and metrics. It looks at each source and takes its lock: 10,000
    /// take some milliseconds.
    pub fn status(&self) -> PoolStatus {
        PoolStatus::of(&self.shared)
    }
}

impl<K> Shared<K>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    async fn make(&self, key: &K) -> Entry {
        let made = (self.make)(key.clone()).await;
        let now = self.clock.now();
        match made {
            Ok(source) => {
                Count::add(&self.count.made);
                Entry::Source(Arc::new(Pooled::new(source, now.monotonic)))
            }
            Err(error) => {
                Count::add(&self.count.not_made);
                let reason = Reason::SourceNotMade(error);
                Entry::failed(&self.name, reason, &self.clock, self.failure_memory)
            }
        }
    }
}

impl<K> Clone for SourcePool<K> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

/// Without the keys: they may name customers.
impl<K> fmt::Debug for SourcePool<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcePool")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}
