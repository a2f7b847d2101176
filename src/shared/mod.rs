//! One token for all replicas of a service, over a store that they share (feature `redis`).
//!
//! [`SharedLayer`] wraps a fetcher. Before it calls the fetcher it reads the store, and takes the token that another
//! replica has put there. Only the replica that holds the lease fetches; the others wait for its token. Requests never
//! read the store: they read the token of their own process.
//!
//! Use it with banks whose token endpoint is scarce, or that revoke the old token when they issue a new one. Do not use
//! it for a single process: there the token source already makes one fetch at a time.
//!
//! # Examples
//!
//! ```no_run
//! use tower_oauth::{
//!     ClientId, ClientSecret, provider::bankly,
//!     shared::{SealingKeys, SharedStore},
//! };
//!
//! let keys = SealingKeys::from_base64(&std::env::var("OAUTH_STORE_KEY")?)?;
//! let store = SharedStore::redis("rediss://:password@redis.example:6379", keys)?;
//! let source = bankly::sandbox(ClientId::new("0b1d…")?, ClientSecret::new("shh"))
//!     .scopes(["boleto.read"])
//!     .shared(store)
//!     .build_reqwest(reqwest::Client::builder())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod attempt;
mod breaker;
mod entry;
mod key;
mod layer;
mod memory;
mod redis;
mod sealing;
mod store;

pub use self::{
    layer::{Shared, SharedLayer, WhenStoreIsDown},
    sealing::SealingKeys,
    store::SharedStore,
};
#[cfg(feature = "client-credentials")]
pub(crate) use key::StoreKey;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod tests;
