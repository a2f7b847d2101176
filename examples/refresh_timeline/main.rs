//! How long a request waits for its token while tokens are refreshed: with this crate, and with a hand-written manager
//! (a mutex held across the fetch, refresh at expiry), under the same load. It draws both.
//!
//! ```sh
//! cargo run --release --example refresh_timeline -- docs/refresh_timeline.svg
//! ```
//!
//! A token lives 400 ms, a fetch takes 50 ms, and there are 4,000 requests a second.

#![allow(
    clippy::disallowed_types,
    reason = "it measures with the machine's clock"
)]

mod chart;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::{Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_oauth::{BoxError, OAuthLayer, Token, TokenRequest, TokenSource};

const RUN: Duration = Duration::from_secs(4);
const LIFETIME: Duration = Duration::from_millis(400);
const FETCH: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_millis(1);
const REQUESTS_PER_TICK: usize = 4;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or("refresh_timeline.svg".into());
    let by_hand = measure("a mutex held across the fetch", by_hand).await?;
    let ours = measure("tower-oauth", ours).await?;

    println!(
        "{:<32} {:>9} {:>9} {:>12} {:>12} {:>12} {:>9}",
        "", "requests", "fetches", "p50", "p99.9 between", "p99.9 during", "waited"
    );
    for timeline in [&by_hand, &ours] {
        println!("{}", timeline.row());
    }
    let waited = ours.waited() as f64 / ours.samples.len() as f64;
    std::fs::write(&path, chart::draw(&[by_hand, ours])?)?;
    println!("drawn: {path}");
    // None should wait. A machine that pauses makes some wait.
    match waited < 0.05 {
        true => Ok(()),
        false => Err("requests waited for refreshes".into()),
    }
}

/// A token endpoint that records when it was busy.
#[derive(Clone)]
struct Endpoint {
    began: Instant,
    fetches: Arc<Mutex<Vec<[Duration; 2]>>>,
}

impl Endpoint {
    async fn fetch(self) -> String {
        let start = self.began.elapsed();
        tokio::time::sleep(FETCH).await;
        let mut fetches = self.fetches.lock().expect("no panic");
        fetches.push([start, self.began.elapsed()]);
        format!("token-{}", fetches.len())
    }
}

/// When a request was called, and how long until it was sent with a token.
#[derive(Clone, Copy)]
struct Sample {
    at: Duration,
    ready_after: Duration,
}

struct Timeline {
    name: &'static str,
    samples: Vec<Sample>,
    fetches: Vec<[Duration; 2]>,
}

/// The innermost service of both: a request that arrives here has its token.
async fn answer(_: Request<()>) -> Result<Response<Instant>, BoxError> {
    Ok(Response::new(Instant::now()))
}

async fn measure<S, M>(name: &'static str, make: M) -> Result<Timeline, BoxError>
where
    M: FnOnce(Endpoint) -> Result<S, BoxError>,
    S: Service<Request<()>, Response = Response<Instant>, Error = BoxError>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let endpoint = Endpoint {
        began: Instant::now(),
        fetches: Arc::default(),
    };
    let service = make(endpoint.clone())?;
    let mut tasks = Vec::new();
    let mut ticks = tokio::time::interval(TICK);
    while endpoint.began.elapsed() < RUN {
        ticks.tick().await;
        for _ in 0..REQUESTS_PER_TICK {
            tasks.push(tokio::spawn(sample(service.clone(), endpoint.began)));
        }
    }
    let mut samples = Vec::with_capacity(tasks.len());
    for task in tasks {
        samples.push(task.await??);
    }
    let fetches = endpoint.fetches.lock().expect("no panic").clone();
    Ok(Timeline {
        name,
        samples,
        fetches,
    })
}

async fn sample<S>(mut service: S, began: Instant) -> Result<Sample, BoxError>
where
    S: Service<Request<()>, Response = Response<Instant>, Error = BoxError>,
{
    let request = Request::get("https://api.example/cob").body(())?;
    let service = service.ready().await?;
    let called = Instant::now();
    let sent = service.call(request).await?.into_body();
    Ok(Sample {
        at: called - began,
        ready_after: sent - called,
    })
}

type Client<S> = Result<S, BoxError>;

fn ours(
    endpoint: Endpoint,
) -> Client<
    impl Service<Request<()>, Response = Response<Instant>, Error = BoxError, Future: Send> + Clone,
> {
    let fetcher = service_fn(move |_: TokenRequest| {
        let fetch = endpoint.clone().fetch();
        async { Ok::<_, BoxError>(Token::new(fetch.await).with_lifetime(LIFETIME)) }
    });
    let source = TokenSource::builder(fetcher)
        .origin("https://api.example")
        // The default second between two fetches is longer than these tokens live.
        .policy(|policy| policy.back_off.min_fetch_interval = Duration::from_millis(100))
        .build()?;
    Ok(OAuthLayer::new(source).layer(service_fn(answer)))
}

/// The usual hand-written manager.
fn by_hand(
    endpoint: Endpoint,
) -> Client<
    impl Service<Request<()>, Response = Response<Instant>, Error = BoxError, Future: Send> + Clone,
> {
    let current = Arc::new(tokio::sync::Mutex::new(None::<(String, Instant)>));
    Ok(service_fn(move |mut request: Request<()>| {
        let (current, endpoint) = (current.clone(), endpoint.clone());
        async move {
            let mut current = current.lock().await;
            let usable = |(_, until): &&(String, Instant)| Instant::now() < *until;
            let token = match current.as_ref().filter(usable) {
                Some((token, _)) => token.clone(),
                None => {
                    let token = endpoint.fetch().await;
                    *current = Some((token.clone(), Instant::now() + LIFETIME - FETCH));
                    token
                }
            };
            drop(current);
            let value = http::HeaderValue::try_from(format!("Bearer {token}"))?;
            request.headers_mut().insert("authorization", value);
            answer(request).await
        }
    }))
}

impl Timeline {
    fn row(&self) -> String {
        let later = self.later().copied();
        let (during, between): (Vec<_>, Vec<_>) = later.partition(|it| self.is_fetching(it.at));
        format!(
            "{:<32} {:>9} {:>9} {:>12} {:>12} {:>12} {:>9}",
            self.name,
            self.samples.len(),
            self.fetches.len(),
            format!("{:?}", quantile(&between, 0.5)),
            format!("{:?}", quantile(&between, 0.999)),
            format!("{:?}", quantile(&during, 0.999)),
            self.waited(),
        )
    }

    /// The requests after the first token, which every request must wait for.
    fn later(&self) -> impl Iterator<Item = &Sample> {
        let first = self.fetches.first().map_or(Duration::ZERO, |it| it[1]);
        self.samples.iter().filter(move |it| it.at > first)
    }

    fn waited(&self) -> usize {
        self.later()
            .filter(|it| it.ready_after > FETCH / 10)
            .count()
    }

    fn is_fetching(&self, at: Duration) -> bool {
        self.fetches
            .iter()
            // The request that starts a fetch is earlier than it by the runtime's timer.
            .any(|[start, end]| (start.saturating_sub(4 * TICK)..*end).contains(&at))
    }
}

fn quantile(samples: &[Sample], q: f64) -> Duration {
    let mut sorted: Vec<_> = samples.iter().map(|it| it.ready_after).collect();
    sorted.sort();
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last as f64 * q) as usize)
        .copied()
        .unwrap_or_default()
}
