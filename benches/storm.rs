//! What it costs when many requests find no usable token at once.
//!
//! ```sh
//! cargo bench --bench storm
//! ```
//!
//! The token endpoint takes 50 ms. `late` is how long after the fetch ended a waiter had its answer.

#![allow(
    clippy::disallowed_types,
    reason = "a benchmark reads the clock itself"
)]

use std::{
    alloc::System,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Context,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use http::{Request, Response};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::{Layer, Service, service_fn};
use tower_oauth::{BackOff, BoxError, FetchError, OAuthLayer, Token, TokenRequest, TokenSource};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LATENCY: Duration = Duration::from_millis(50);

/// A token endpoint that remembers when it last answered.
#[derive(Clone, Default)]
struct Endpoint {
    fetches: Arc<AtomicUsize>,
    answered: Arc<Mutex<Option<Instant>>>,
    fails: bool,
}

impl Endpoint {
    fn failing() -> Self {
        Self {
            fails: true,
            ..Self::default()
        }
    }

    fn source(&self) -> TokenSource {
        let endpoint = self.clone();
        TokenSource::builder(service_fn(move |_: TokenRequest| endpoint.clone().answer()))
            .policy(|policy| {
                policy.min_flight_interval = Duration::from_millis(1);
                policy.unclear_back_off = BackOff::new(LATENCY, LATENCY);
            })
            .build()
            .expect("a source")
    }

    async fn answer(self) -> Result<Token, BoxError> {
        let number = self.fetches.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(LATENCY).await;
        *self.answered.lock().expect("no panic") = Some(Instant::now());
        match self.fails {
            true => Err(FetchError::unclear("no").into()),
            false => Ok(Token::new(format!("token-{number}"))),
        }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[tokio::main]
async fn main() {
    println!(
        "{:<42} {:>8} {:>8} {:>12} {:>12} {:>12}",
        "storm", "waiters", "fetches", "p50 late", "p99 late", "per waiter"
    );
    for waiters in [1_000, 10_000] {
        storm("cold", waiters, Endpoint::default(), |_| ()).await;
        storm(
            "cold, the endpoint fails",
            waiters,
            Endpoint::failing(),
            |_| (),
        )
        .await;
        storm(
            "cold, the first caller is dropped",
            waiters,
            Endpoint::default(),
            leader_gives_up,
        )
        .await;
        rejected(waiters).await;
    }
    memory().await;
}

/// The first to ask is gone before the fetch is done.
fn leader_gives_up(source: &TokenSource) {
    let source = source.clone();
    let leader = tokio::spawn(async move { source.token().await.map(drop) });
    tokio::spawn(async move {
        tokio::time::sleep(LATENCY / 10).await;
        leader.abort();
    });
}

async fn storm(name: &str, waiters: usize, endpoint: Endpoint, before: impl FnOnce(&TokenSource)) {
    let source = endpoint.source();
    before(&source);
    tokio::task::yield_now().await;
    report(name, waiters, &endpoint, &source).await;
}

/// The API refused the token that everybody holds.
async fn rejected(waiters: usize) {
    let endpoint = Endpoint::default();
    let source = endpoint.source();
    let token = source.token().await.expect("a token");
    source.invalidate(token.generation());
    report("rejected", waiters, &endpoint, &source).await;
}

async fn report(name: &str, waiters: usize, endpoint: &Endpoint, source: &TokenSource) {
    let before = endpoint.fetches();
    let calls = (0..waiters).map(|_| {
        let source = source.clone();
        tokio::spawn(async move {
            let _ = source.token().await;
            Instant::now()
        })
    });
    let done: Vec<_> = join_all(calls.collect::<Vec<_>>()).await;
    let answered = endpoint
        .answered
        .lock()
        .expect("no panic")
        .expect("an answer");
    let mut late: Vec<_> = done
        .into_iter()
        .map(|at| at.expect("no panic").saturating_duration_since(answered))
        .collect();
    late.sort();
    let last = late[late.len() - 1];
    println!(
        "{name:<42} {waiters:>8} {:>8} {:>9} µs {:>9} µs {:>9} ns",
        endpoint.fetches() - before.min(endpoint.fetches() - 1),
        late[waiters / 2].as_micros(),
        late[waiters * 99 / 100].as_micros(),
        last.as_nanos() / waiters as u128,
    );
}

/// Bytes on the heap, and of what is moved around.
async fn memory() {
    let inner = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(())) });

    let region = Region::new(ALLOCATOR);
    let source = Endpoint::default().source();
    println!("\nbytes: a source without a token {}", live(&region));

    let mut service = OAuthLayer::new(source.clone()).layer(inner);
    let region = Region::new(ALLOCATOR);
    let clones: Vec<_> = (0..1_000).map(|_| service.clone()).collect();
    let of_vec = std::mem::size_of_val(&clones[..]);
    println!(
        "bytes: a clone of the service {} and {} on the heap",
        std::mem::size_of_val(&service),
        (live(&region) - of_vec) / 1_000
    );

    let region = Region::new(ALLOCATOR);
    let mut waiting: Vec<_> = (0..1_000).map(|_| Box::pin(call(&mut service))).collect();
    let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
    for request in &mut waiting {
        assert!(request.as_mut().poll(&mut context).is_pending());
    }
    println!("bytes: a waiting request {}", live(&region) / 1_000);
    join_all(waiting).await;
    println!(
        "bytes: a token of 1,200 bytes, in all lanes {}",
        of_a_token().await
    );
}

fn call<S>(service: &mut S) -> S::Future
where
    S: Service<Request<()>>,
{
    service.call(
        Request::get("https://api.example/")
            .body(())
            .expect("a request"),
    )
}

async fn of_a_token() -> usize {
    let token = || Token::new("t".repeat(1200));
    let source = TokenSource::builder(service_fn(move |_: TokenRequest| async move {
        Ok::<_, BoxError>(token())
    }))
    .build()
    .expect("a source");
    let region = Region::new(ALLOCATOR);
    source.ready().await.expect("a token");
    live(&region)
}

fn live(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change
        .bytes_allocated
        .saturating_sub(change.bytes_deallocated)
}
