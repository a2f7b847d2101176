//! Random lives of a pool: keys, cancellations, evictions, removals, revocations, failures. No response ever has the
//! token of another customer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use http::{Request, Response, StatusCode};
use tower::{BoxError, Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_oauth::{
    Clock, FetchError, OAuthError, OAuthErrorKind, OAuthLayer, Token, TokenEndpoint, TokenRequest,
    TokenSource, pool::SourcePool,
};

use crate::bank::secs;

/// The variable `SEEDS` changes it.
const SEEDS: u64 = 40;
const CUSTOMERS: u32 = 24;
const STEPS: u32 = 400;

type Api = BoxCloneSyncService<Request<String>, Response<String>, BoxError>;

#[derive(Clone)]
struct World {
    clock: Clock,
    rng: Arc<Mutex<fastrand::Rng>>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// How often a customer was removed.
    removed: BTreeMap<u32, u32>,
    /// How many sources of a customer are being made, since it was removed so often.
    making: BTreeMap<(u32, u32), u32>,
    issued: BTreeMap<u32, u32>,
    /// Tokens up to this number are revoked.
    revoked: BTreeMap<u32, u32>,
    /// What must not happen.
    broken: Vec<String>,
    served: u32,
    retried: u32,
    failed: BTreeMap<&'static str, u32>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            clock: Clock::tokio(),
            rng: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            state: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn draw(&self, below: u32) -> u32 {
        self.rng.lock().unwrap().u32(..below)
    }

    async fn pause(&self, at_most: u64) {
        let millis = self.rng.lock().unwrap().u64(..=at_most);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn pool(&self, endpoint: TokenEndpoint) -> SourcePool<u32> {
        let world = self.clone();
        let make = move |customer| {
            let (world, endpoint) = (world.clone(), endpoint.clone());
            async move { world.make(customer, &endpoint).await }
        };
        let pool = SourcePool::builder(make).capacity(8).idle_timeout(secs(20));
        pool.failure_memory(secs(2))
            .clock(self.clock.clone())
            .build()
            .unwrap()
    }

    async fn make(self, customer: u32, endpoint: &TokenEndpoint) -> Result<TokenSource, BoxError> {
        let making = Making::begin(&self, customer);
        self.pause(300).await;
        drop(making);
        if self.draw(12) == 0 {
            return Err("the vault is sealed".into());
        }
        let world = self.clone();
        let fetcher = service_fn(move |_: TokenRequest| world.clone().issue(customer));
        let source = TokenSource::builder(fetcher)
            .name(format!("bank/{customer}"))
            .clock(self.clock.clone())
            .seed(self.draw(u32::MAX).into())
            .token_endpoint(endpoint);
        Ok(source.build()?)
    }

    async fn issue(self, customer: u32) -> Result<Token, BoxError> {
        self.pause(800).await;
        match self.draw(40) {
            0 => {
                return Err(FetchError::transient("too many")
                    .with_retry_after(secs(7))
                    .into());
            }
            1 => {
                return Err(FetchError::transient("too many")
                    .with_retry_after(secs(2))
                    .into());
            }
            2..=4 => return Err(FetchError::transient("bad gateway").into()),
            5 => return Err(FetchError::permanent("invalid_client").into()),
            _ => {}
        }
        let number = {
            let mut state = self.state();
            let number = state.issued.entry(customer).or_default();
            *number += 1;
            *number
        };
        let lifetime = secs(u64::from(10 + self.draw(60)));
        Ok(Token::new(format!("{customer}:{number}")).with_lifetime(lifetime))
    }

    /// An API that knows whose token it sees.
    fn api(&self) -> Api {
        let world = self.clone();
        let api = service_fn(move |request: Request<String>| {
            let world = world.clone();
            async move {
                world.pause(1500).await;
                let status = world.judge(&request);
                Ok::<_, BoxError>(
                    Response::builder()
                        .status(status)
                        .body(request.into_body())?,
                )
            }
        });
        let layer = OAuthLayer::from_extension().retry_rejected();
        BoxCloneSyncService::new(layer.layer(api))
    }

    fn judge(&self, request: &Request<String>) -> StatusCode {
        let token = request.headers()["authorization"].to_str().unwrap();
        let (owner, number) = token
            .strip_prefix("Bearer ")
            .unwrap()
            .split_once(':')
            .unwrap();
        let mut state = self.state();
        if owner != request.body() {
            let sent_as = request.body();
            state
                .broken
                .push(format!("the token of {owner} was sent as {sent_as}"));
        }
        let revoked = state.revoked.get(&owner.parse().unwrap()).copied();
        match number.parse::<u32>().unwrap() <= revoked.unwrap_or(0) {
            true => StatusCode::UNAUTHORIZED,
            false => StatusCode::OK,
        }
    }

    async fn send(self, pool: SourcePool<u32>, api: Api, customer: u32) {
        let sent = async {
            let source = pool.source(&customer).await?;
            drop(pool);
            let mut request = Request::get("https://api.example/").body(customer.to_string())?;
            request.extensions_mut().insert(source);
            api.oneshot(request).await
        };
        let outcome = match self.draw(5) {
            0 => tokio::time::timeout(Duration::from_millis(self.draw(2000).into()), sent).await,
            _ => Ok(sent.await),
        };
        let Ok(outcome) = outcome else { return };
        let mut state = self.state();
        match outcome {
            Ok(response) if response.body() != &customer.to_string() => {
                state
                    .broken
                    .push(format!("{customer} got what {} was sent", response.body()));
            }
            Ok(response) if response.status() == 200 => state.served += 1,
            Ok(_) => state.retried += 1,
            Err(error) => match OAuthError::find(&*error).map(OAuthError::kind) {
                Some(
                    kind @ (OAuthErrorKind::ForeignOrigin
                    | OAuthErrorKind::Closed
                    | OAuthErrorKind::NoSource),
                ) => {
                    state.broken.push(format!("{customer}: {kind}"));
                }
                Some(kind) => *state.failed.entry(kind.as_str()).or_default() += 1,
                None => state.broken.push(error.to_string()),
            },
        }
    }

    async fn live(&self) {
        let endpoint = TokenEndpoint::builder("bank")
            .clock(self.clock.clone())
            .seed(1);
        let endpoint = endpoint.concurrency(4).rate(20, secs(5)).build().unwrap();
        let (pool, api) = (self.pool(endpoint.clone()), self.api());
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..STEPS {
            let customer = self.draw(CUSTOMERS).min(self.draw(CUSTOMERS));
            match self.draw(60) {
                0 => {
                    *self.state().removed.entry(customer).or_default() += 1;
                    pool.remove(&customer);
                }
                1 => pool.evict_idle(),
                2 => {
                    let mut state = self.state();
                    let issued = state.issued.get(&customer).copied().unwrap_or(0);
                    state.revoked.insert(customer, issued);
                }
                3 => tokio::time::sleep(secs(30)).await,
                4 => drop(pool.status()),
                _ => drop(requests.spawn(self.clone().send(pool.clone(), api.clone(), customer))),
            }
            self.pause(200).await;
        }
        drop(pool); // while requests are under way
        while let Some(ended) = requests.join_next().await {
            ended.unwrap();
        }
        drop(api);
        // A fetch that nobody waits for ends with its source.
        tokio::time::sleep(secs(60)).await;
        let alive = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        let status = endpoint.status();
        let left = (alive, status.waiting, status.under_way);
        if left != (0, 0, 0) {
            self.state()
                .broken
                .push(format!("tasks, waiting, under way: {left:?}"));
        }
    }
}

/// Counts the sources that are being made.
struct Making<'a>(&'a World, (u32, u32));

impl<'a> Making<'a> {
    fn begin(world: &'a World, customer: u32) -> Self {
        let mut state = world.state();
        let removed = state.removed.get(&customer).copied();
        let which = (customer, removed.unwrap_or(0));
        let making = state.making.entry(which).or_default();
        *making += 1;
        if *making > 1 {
            state
                .broken
                .push(format!("two sources of {customer} are made at once"));
        }
        drop(state);
        Self(world, which)
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        *self.0.state().making.get_mut(&self.1).unwrap() -= 1;
    }
}

#[test]
fn no_customer_ever_gets_the_token_of_another() {
    let (mut served, mut retried, mut failed) = (0, 0, BTreeMap::<_, u32>::new());
    let seeds = std::env::var("SEEDS").ok().and_then(|it| it.parse().ok());
    for seed in 0..seeds.unwrap_or(SEEDS) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let state = runtime.block_on(async {
            let world = World::new(seed);
            world.live().await;
            std::mem::take(&mut *world.state())
        });
        assert!(state.broken.is_empty(), "seed {seed}: {:#?}", state.broken);
        served += state.served;
        retried += state.retried;
        for (kind, count) in state.failed {
            *failed.entry(kind).or_default() += count;
        }
    }
    // All that may happen has happened.
    assert!(served > 5_000, "{served}");
    assert!(retried > 0, "{retried}");
    let kinds: Vec<_> = failed.keys().copied().collect();
    let expected = ["fetcher", "source_not_made", "unavailable"];
    assert!(
        expected.iter().all(|kind| kinds.contains(kind)),
        "{failed:?}"
    );
}
