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
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Context,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use http::{Request, Response};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::{Layer, Service, service_fn};
use tower_oauth::{
    BackOff, BoxError, Clock, FetchError, OAuthLayer, Token, TokenRequest, TokenSource,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LATENCY: Duration = Duration::from_millis(50);

/// A token endpoint that remembers when it last answered.
#[derive(Clone, Default)]
struct Endpoint {
    fetches: Arc<AtomicUsize>,
    answered: Arc<Mutex<Option<Instant>>>,
    fails: Arc<AtomicBool>,
}

impl Endpoint {
    fn source(&self, clock: Clock) -> TokenSource {
        let endpoint = self.clone();
        TokenSource::builder(service_fn(move |_: TokenRequest| endpoint.clone().answer()))
            .policy(|policy| {
                policy.back_off.min_fetch_interval = Duration::from_millis(1);
                policy.back_off.unclear = BackOff::new(LATENCY, LATENCY);
            })
            .clock(clock)
            .build()
            .expect("a source")
    }

    async fn answer(self) -> Result<Token, BoxError> {
        let number = self.fetches.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(LATENCY).await;
        *self.answered.lock().expect("no panic") = Some(Instant::now());
        match self.fails.load(Ordering::SeqCst) {
            true => Err(FetchError::unclear("no").into()),
            false => Ok(Token::new(format!("token-{number}"))),
        }
    }

    fn attempts(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn answered(&self) -> Instant {
        let answered = self.answered.lock().expect("no panic");
        answered.expect("an answer")
    }
}

/// Storms of each kind; the medians are printed.
const ROUNDS: usize = 7;

#[tokio::main]
async fn main() {
    println!(
        "{:<36} {:>8} {:>8} {:>11} {:>11} {:>11}",
        "storm", "waiters", "fetches", "p50 late", "p99 late", "per waiter"
    );
    for waiters in [1_000, 10_000] {
        for storm in STORMS {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                rounds.push(storm.round(waiters).await);
            }
            println!("{:<36} {waiters:>8} {}", storm.name, Late::row(&rounds));
        }
    }
    memory().await;
}

/// A way for many requests to find no usable token at once.
struct Storm {
    name: &'static str,
    fails: bool,
    leader_gives_up: bool,
    before: Before,
}

/// What there was before the storm.
enum Before {
    Nothing,
    Expired,
    Rejected,
}

const COLD: Storm = Storm {
    name: "cold",
    fails: false,
    leader_gives_up: false,
    before: Before::Nothing,
};

const STORMS: [Storm; 7] = [
    COLD,
    Storm {
        name: "cold, the endpoint fails",
        fails: true,
        ..COLD
    },
    Storm {
        name: "cold, the first caller is dropped",
        leader_gives_up: true,
        ..COLD
    },
    Storm {
        name: "expired",
        before: Before::Expired,
        ..COLD
    },
    Storm {
        name: "expired, the endpoint fails",
        fails: true,
        before: Before::Expired,
        ..COLD
    },
    Storm {
        name: "rejected",
        before: Before::Rejected,
        ..COLD
    },
    Storm {
        name: "rejected, the endpoint fails",
        fails: true,
        before: Before::Rejected,
        ..COLD
    },
];

/// What came of one round.
struct Late {
    fetches: usize,
    p50: Duration,
    p99: Duration,
    last: Duration,
    waiters: usize,
}

impl Storm {
    async fn round(&self, waiters: usize) -> Late {
        let endpoint = Endpoint::default();
        // The one that can be stepped is slower to read.
        let clock = match self.before {
            Before::Expired => Clock::tokio(),
            Before::Nothing | Before::Rejected => Clock::system(),
        };
        let source = endpoint.source(clock.clone());
        let token = match self.before {
            Before::Nothing => None,
            Before::Expired | Before::Rejected => Some(source.token().await.expect("a token")),
        };
        let before = endpoint.attempts();
        endpoint.fails.store(self.fails, Ordering::SeqCst);
        clock.step_wall_forward(Duration::from_secs(24 * 3600));
        if let (Before::Rejected, Some(token)) = (&self.before, token) {
            source.invalidate(token.generation());
        }
        if self.leader_gives_up {
            leader_gives_up(&source);
            while endpoint.attempts() == before {
                tokio::task::yield_now().await;
            }
        }
        let mut late = late(&endpoint, &source, waiters).await;
        late.sort();
        Late {
            fetches: endpoint.attempts() - before,
            p50: late[waiters / 2],
            p99: late[waiters * 99 / 100],
            last: late[waiters - 1],
            waiters,
        }
    }
}

/// How long after the token endpoint's answer each had its own.
async fn late(endpoint: &Endpoint, source: &TokenSource, waiters: usize) -> Vec<Duration> {
    let calls = (0..waiters).map(|_| {
        let source = source.clone();
        tokio::spawn(async move {
            let _ = source.token().await;
            Instant::now()
        })
    });
    let done = join_all(calls.collect::<Vec<_>>()).await;
    let answered = endpoint.answered();
    let late = |at: Result<Instant, _>| at.expect("no panic").saturating_duration_since(answered);
    done.into_iter().map(late).collect()
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

impl Late {
    fn row(rounds: &[Self]) -> String {
        let micros = |of: fn(&Self) -> Duration| median(rounds.iter().map(of)).as_micros();
        let most = rounds.iter().map(|round| round.fetches).max();
        format!(
            "{:>8} {:>8} µs {:>8} µs {:>8} ns",
            most.expect("a round"),
            micros(|it| it.p50),
            micros(|it| it.p99),
            median(rounds.iter().map(|it| it.last)).as_nanos() / rounds[0].waiters as u128,
        )
    }
}

fn median(durations: impl Iterator<Item = Duration>) -> Duration {
    let mut durations: Vec<_> = durations.collect();
    durations.sort();
    durations[durations.len() / 2]
}

/// Bytes on the heap, and of what is moved around.
async fn memory() {
    let inner = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(())) });

    let region = Region::new(ALLOCATOR);
    let source = Endpoint::default().source(Clock::system());
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
        "bytes: a token of 1,200 bytes that one thread uses {}",
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
    let inner = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(())) });
    let mut service = OAuthLayer::new(source.clone()).layer(inner);
    let region = Region::new(ALLOCATOR);
    source.ready().await.expect("a token");
    call(&mut service).await.expect("a response");
    live(&region)
}

fn live(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change
        .bytes_allocated
        .saturating_sub(change.bytes_deallocated)
}
