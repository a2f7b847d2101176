//! The fetch's state machine and the publish protocol under a model checker. Every model runs in every order of its
//! threads' steps. `.ci/loom` runs them; `sync` says what is modelled.
//!
//! No time passes in a model.

mod credentials;
mod endings;
mod locking;
mod publishing;
mod rejections;
mod single_flight;
mod subscribing;
mod taking_over;

use std::{
    collections::VecDeque,
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::FutureExt;
use http::HeaderMap;
use loom::{future::block_on, thread};
use tower::{service_fn, util::BoxService};

use super::{
    cell::TokenState,
    core::{Config, Core},
    fetch::{Driving, Fetch, Fetcher, Outcome, Silence, help, start},
    guard::ShutDownOnDrop,
    requests::Rejected,
    state::{FetchGrant, Remedy},
};
use crate::{
    error::{BoxError, FetchError, OAuthError},
    policy::Policy,
    rejection::Rejection,
    token::{FetchCause, Generation, Token, TokenRequest},
};

/// Runs a model in every order, and prints the number of orders.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    explore_with(loom::model::Builder::new(), model);
}

fn explore_with(builder: loom::model::Builder, model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = orders.clone();
    builder.check(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        model();
    });
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    println!("{name}: {} orders", orders.load(Ordering::SeqCst));
}

/// What the token endpoint does with a fetch; after the script, it brings tokens.
#[derive(Clone, Copy)]
enum Answer {
    /// `fetched-1`, `fetched-2`, …
    Token,
    /// The same, and the fetch may be ended in between.
    SlowToken,
    Fail,
    Hang,
}

/// A token endpoint, outside the model.
struct Endpoint {
    script: Mutex<VecDeque<Answer>>,
    fetches: AtomicUsize,
    under_way: AtomicUsize,
    /// How often a fetch was taken over. The earlier driver may still be running.
    taken_over: AtomicUsize,
}

impl Endpoint {
    async fn answer(&self) -> Result<Token, BoxError> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst);
        let taken_over = self.taken_over.load(Ordering::SeqCst);
        assert!(under_way <= taken_over, "two fetches at once");
        let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
        let _left = Leaving(self);
        let token = Ok(Token::new(format!("fetched-{number}")));
        match self.next_answer() {
            Answer::Token => token,
            Answer::SlowToken => {
                tokio::task::yield_now().await;
                token
            }
            Answer::Fail => Err(FetchError::unclear("no").into()),
            Answer::Hang => std::future::pending().await,
        }
    }

    fn next_answer(&self) -> Answer {
        let mut script = self.script.lock().unwrap();
        script.pop_front().unwrap_or(Answer::Token)
    }
}

/// A fetch leaves the endpoint also when it is dropped.
struct Leaving<'a>(&'a Endpoint);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A source, and the endpoint it fetches from.
struct World {
    source: ShutDownOnDrop,
    endpoint: Arc<Endpoint>,
}

impl World {
    fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::with(Policy::default(), script)
    }

    fn with(policy: Policy, script: impl IntoIterator<Item = Answer>) -> Self {
        let endpoint = Arc::new(Endpoint {
            script: Mutex::new(script.into_iter().collect()),
            fetches: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            taken_over: AtomicUsize::new(0),
        });
        let answering = endpoint.clone();
        let fetcher = BoxService::new(service_fn(move |_: TokenRequest| {
            let endpoint = answering.clone();
            async move { endpoint.answer().await }
        }));
        let core = Arc::new(core_over(policy, fetcher));
        Self {
            source: ShutDownOnDrop(core),
            endpoint,
        }
    }

    /// A source that holds a token before the model begins, generation 1.
    fn holding_a_token(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::new(script).with_a_token()
    }

    fn with_a_token(self) -> Self {
        let world = self;
        let fetch = world.new_fetch();
        let begin = |driving: &mut Driving| driving.begin();
        let begun = world.step(|state| state.driving(&fetch).and_then(begin));
        let (now, mut rng) = (world.now(), fastrand::Rng::with_seed(7));
        let prepared = world.prepare(Token::new("held"), now, 0, &mut rng);
        let driver = begun.unwrap().driver;
        let installed = world.install(prepared.unwrap(), &driver);
        assert!(installed.is_some());
        world
    }

    /// The generation that a waiting caller gets.
    fn acquired(&self) -> Result<u64, OAuthError> {
        block_on(self.acquire()).map(|token| token.generation().get())
    }

    fn start(&self) -> Arc<Fetch> {
        let fetch = self.new_fetch();
        start(self, &fetch).unwrap();
        fetch
    }

    fn new_fetch(&self) -> Arc<Fetch> {
        let (now, policy) = (self.now(), &self.config.policy);
        match self.step(|state| state.grant_fetch(FetchCause::Ahead, now, policy)) {
            FetchGrant::Granted(fetch) => fetch,
            _ => panic!("no fetch may start"),
        }
    }

    /// Drops the runtimes of all drivers of a fetch.
    fn lose(&self, fetch: &Arc<Fetch>) {
        let tasks = self.step(|state| state.driving(fetch).map(Driving::take_tasks));
        tasks.into_iter().flatten().for_each(|task| task.abort());
    }

    /// A waiter has seen no beat since `seen`. Returns whether it was the one that helped.
    fn help(&self, fetch: &Arc<Fetch>, seen: u64, silence: Silence) -> bool {
        if silence == Silence::Long {
            self.endpoint.taken_over.fetch_add(1, Ordering::SeqCst);
        }
        help(self, fetch, seen, silence)
    }

    fn attempts(&self) -> usize {
        self.endpoint.fetches.load(Ordering::SeqCst)
    }

    fn is_fetching(&self) -> bool {
        self.step(|state| state.is_fetching())
    }

    /// Waits until no fetch is under way.
    fn settle(&self) {
        let mut changed = self.subscribe();
        while self.is_fetching() {
            block_on(changed.changed()).unwrap();
        }
    }

    fn token_state(&self) -> TokenState {
        self.cell.get().unwrap().token_state()
    }

    /// The generation that a request goes out with now, and its token.
    fn attached(&self) -> Option<(u64, String)> {
        let mut headers = HeaderMap::new();
        let generation = self.source.attach(&mut headers)?;
        let value = headers["authorization"].to_str().unwrap().to_owned();
        Some((generation.get(), value))
    }
}

impl Deref for World {
    type Target = Arc<Core>;

    fn deref(&self) -> &Arc<Core> {
        &self.source
    }
}

fn core_over(policy: Policy, fetcher: Fetcher) -> Core {
    let config = Config {
        policy: policy.into(),
        ..Config::default()
    };
    Core::new(config, fetcher, fastrand::Rng::with_seed(7))
}
