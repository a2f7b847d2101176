//! What the sources of one token endpoint share: its pause, its rate, and the queue for it.
//!
//! `state` has the decisions, as functions of `now`. `permit` waits for them and reports how an attempt ended.

mod builder;
mod permit;
mod said;
mod state;
mod status;
#[cfg(all(test, not(tower_oauth_loom)))]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(super) use self::permit::Permit;
use self::state::State;
pub use self::{builder::TokenEndpointBuilder, status::TokenEndpointStatus};
use super::clock::Clock;

/// A token endpoint that many sources use: they share its pauses and the rate of their token requests.
///
/// Give one to all sources of a bank: with [`TokenSourceBuilder::token_endpoint`](crate::TokenSourceBuilder::token_endpoint),
/// or the method of the same name of the client-credentials builder. Then, for all of them together:
///
/// - **Pause.** When the endpoint tells one client to wait (429, `Retry-After`, a status that the dialect calls
///   blocked), or three clients in a row get no answer or a 5xx, no other client sends a token request until the wait is
///   over. After it one attempt goes first; with each answer one more may be under way.
/// - **Rate.** In any period no more attempts start than you set.
/// - **Order.** Clients without a usable token go first, in the order in which they came. Refreshes ahead of the expiry
///   follow; the token that expires first comes first.
///
/// A short pause delays an attempt: up to [`retry.max_retry_after_in_fetch`](crate::Policy::retry), 5 s by default. For a
/// longer one the fetch fails at once, without a token request, and its error says when the next attempt is made. A
/// denial of one client, such as `invalid_client`, affects no other.
///
/// It is a cheap handle, and clones share everything. It has no task of its own. Each process counts for itself: where
/// several call a bank that counts by client or by address, give each its part of the rate.
///
/// Do not share one between banks, and do not use it for a single source: that has a back-off of its own.
///
/// # Clone
///
/// A clone is another handle to the same endpoint.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower::service_fn;
/// use tower_oauth::{BoxError, Token, TokenEndpoint, TokenRequest, TokenSource};
///
/// // Bankly allows 180 token requests in 10 s from one address.
/// let endpoint = TokenEndpoint::builder("bankly").rate(180, Duration::from_secs(10)).build()?;
/// let source = |customer: u32| {
///     let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
///     TokenSource::builder(fetcher)
///         .name(format!("bankly/{customer}"))
///         .token_endpoint(&endpoint)
///         .build()
/// };
/// let sources = [source(1)?, source(2)?];
/// assert_eq!(endpoint.status().waiting, 0);
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct TokenEndpoint(Arc<Shared>);

/// # Lock order
///
/// `state` is held for one step, in which waiting fetches may be woken. No lock of this crate is taken meanwhile.
struct Shared {
    name: String,
    clock: Clock,
    state: Mutex<State>,
}

impl TokenEndpoint {
    /// Returns a builder. The name is for logs and status, such as `bankly`.
    pub fn builder(name: impl Into<String>) -> TokenEndpointBuilder {
        TokenEndpointBuilder::new(name.into())
    }

    /// Returns the endpoint's state now, for health pages.
    pub fn status(&self) -> TokenEndpointStatus {
        let now = self.0.clock.now();
        TokenEndpointStatus::of(&self.0.name, &self.0.state(), now)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}
