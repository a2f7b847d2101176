//! The layer around a fetcher.

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher, RandomState},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    task::{Context, Poll, ready},
    time::Duration,
};

use tower::{Layer, Service};

use super::{attempt::Attempt, breaker::Breaker, key::StoreKey, store::SharedStore};
use crate::{BoxError, ClientSecret, Clock, FetchError, Policy, Sharing, Token, TokenRequest};

/// What a replica does while the store is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenStoreIsDown {
    /// It fetches by itself, with its own back-off. The default.
    ///
    /// At a provider that keeps one token active, replicas then revoke each other's tokens until the store is back.
    #[default]
    FetchAlone,
    /// The fetch fails as [transient](crate::FailureClass::Transient). Requests are served while the token lives.
    Fail,
}

/// Shares the tokens of a fetcher with the other replicas of a service.
///
/// For the client-credentials grant use
/// [`ClientCredentialsBuilder::shared`](crate::client_credentials::ClientCredentialsBuilder::shared), which finds the
/// name by itself.
///
/// # Examples
///
/// ```
/// use tower::{Layer, service_fn};
/// use tower_oauth::{
///     BoxError, Clock, Token, TokenRequest, TokenSource,
///     shared::{SealingKeys, SharedLayer, SharedStore},
/// };
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// let store = SharedStore::in_memory(Clock::tokio(), SealingKeys::new(&[7; 32]));
/// let replica = |text: &'static str| {
///     let fetcher = service_fn(move |_: TokenRequest| async move { Ok::<_, BoxError>(Token::new(text)) });
///     let layer = SharedLayer::new(store.clone(), "vault/payments");
///     TokenSource::builder(layer.layer(fetcher)).sharing(layer.sharing()).build()
/// };
/// let (first, second) = (replica("abc")?, replica("xyz")?);
/// assert_eq!(first.token().await?.expose_token(), "abc");
/// assert_eq!(second.token().await?.expose_token(), "abc");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedLayer {
    pub(super) parts: Parts,
}

#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) store: SharedStore,
    /// The name of the entries, with the prefix and in braces.
    pub(super) name: String,
    pub(super) when_down: WhenStoreIsDown,
    pub(super) policy: Policy,
    pub(super) clock: Clock,
    pub(super) sharing: Sharing,
    /// Names the credential that this replica was built with. It is made of a secret.
    pub(super) credential: Option<ClientSecret>,
}

impl SharedLayer {
    /// Shares what is fetched under this name. Two fetchers may have one name only if their tokens are interchangeable:
    /// the same issuer, account, scopes and environment.
    pub fn new(store: SharedStore, name: &str) -> Self {
        Self::for_key(store, StoreKey::new("name").with(name))
    }

    pub(crate) fn for_key(store: SharedStore, key: StoreKey) -> Self {
        let name = format!("{}{{{}}}", store.prefix, key.finish());
        Self {
            parts: Parts {
                store,
                name,
                when_down: WhenStoreIsDown::default(),
                policy: Policy::default(),
                clock: Clock::system(),
                sharing: Sharing::default(),
                credential: None,
            },
        }
    }

    /// A denial of another credential is no reason to wait.
    #[cfg(any(feature = "client-credentials", test))]
    pub(crate) fn credential(mut self, credential: Option<StoreKey>) -> Self {
        self.parts.credential = credential.map(|it| ClientSecret::new(it.finish()));
        self
    }

    /// Sets what to do while the store is down. Default: [`WhenStoreIsDown::FetchAlone`].
    #[must_use]
    pub fn when_store_is_down(mut self, choice: WhenStoreIsDown) -> Self {
        self.parts.when_down = choice;
        self
    }

    /// Sets the policy. Give it the source's own: the lease is 2 s longer than its `timeouts.attempt`. Default:
    /// [`Policy::default`].
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.parts.policy = policy;
        self
    }

    /// Sets the clock. Default: [`Clock::system`].
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.parts.clock = clock;
        self
    }

    /// Returns what [`TokenSourceBuilder::sharing`](crate::TokenSourceBuilder::sharing) shows in the status.
    pub fn sharing(&self) -> Sharing {
        self.parts.sharing.clone()
    }
}

impl<S> Layer<S> for SharedLayer {
    type Service = Shared<S>;

    fn layer(&self, inner: S) -> Shared<S> {
        Shared {
            core: Arc::new(Core {
                parts: self.parts.clone(),
                owner: random_id(),
                breaker: Breaker::default(),
                taken: AtomicU64::new(0),
                left_behind: AtomicU64::new(0),
            }),
            inner: Arc::new(Mutex::new(Inner {
                fetcher: inner,
                ready: false,
            })),
        }
    }
}

/// A fetcher whose tokens are shared. [`SharedLayer`] makes it.
///
/// # Cancel safety
///
/// A call that is dropped while it holds the lease keeps it until it ends by itself (2 s after the attempt's time-out),
/// or until the same replica tries again.
pub struct Shared<S> {
    core: Arc<Core>,
    inner: Arc<Mutex<Inner<S>>>,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) parts: Parts,
    /// This replica, to the others: new with each start, and without meaning.
    pub(super) owner: String,
    pub(super) breaker: Breaker,
    /// The fence of the last entry that this replica took a token from, or stored one in. 0 for none.
    pub(super) taken: AtomicU64,
    /// The same of an entry that this replica has replaced by a token which is not in the store. The entry's token may have
    /// been rejected since, or revoked by the newer one, and is not taken again.
    pub(super) left_behind: AtomicU64,
}

impl Core {
    /// On the monotonic clock.
    pub(super) fn now(&self) -> Duration {
        self.parts.clock.now().monotonic
    }
}

struct Inner<S> {
    fetcher: S,
    ready: bool,
}

fn lock<S>(inner: &Mutex<Inner<S>>) -> MutexGuard<'_, Inner<S>> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Service<TokenRequest> for Shared<S>
where
    S: Service<TokenRequest, Response = Token> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Token;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Token, BoxError>> + Send>>;

    /// Readies the fetcher, which may not be called then: the store may have a token. It stays ready for the next call, so
    /// a fetcher whose readiness is a permit that others need must take it in the call.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut inner = lock(&self.inner);
        if !inner.ready {
            ready!(inner.fetcher.poll_ready(cx)).map_err(Into::into)?;
            inner.ready = true;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: TokenRequest) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        let attempt = Attempt::new(Arc::clone(&self.core), request);
        // The fetcher is locked while it is called, and never across an await.
        let fetch = move |request| {
            let mut inner = lock(&inner);
            std::mem::take(&mut inner.ready).then(|| inner.fetcher.call(request))
        };
        Box::pin(async move {
            let fetch = async |request| match fetch(request) {
                Some(answer) => answer
                    .await
                    .map_err(|error| FetchError::from_fetcher(error.into())),
                None => Err(FetchError::transient(
                    "another attempt has called the fetcher",
                )),
            };
            attempt.run(fetch).await.map_err(Into::into)
        })
    }
}

impl<S> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("parts", &self.core.parts)
            .finish_non_exhaustive()
    }
}

/// 128 bits, from the randomness of the operating system.
fn random_id() -> String {
    let random = RandomState::new();
    let half = |number: u8| random.hash_one(number);
    format!("{:016x}{:016x}", half(0), half(1))
}
