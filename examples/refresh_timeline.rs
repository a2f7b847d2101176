//! What a request waits for its token while tokens are renewed all the time: this crate, and the manager that is usually
//! written by hand (a mutex held across the fetch, renewal at expiry), at the same load. It draws both.
//!
//! ```sh
//! cargo run --release --example refresh_timeline -- docs/refresh_timeline.svg
//! ```
//!
//! Tokens live for 400 ms, a fetch takes 50 ms, and 4,000 requests come a second.

#![allow(
    clippy::disallowed_types,
    reason = "it measures with the machine's clock"
)]

use std::{
    fmt::Write,
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
        "", "requests", "fetches", "p50", "p99.9 beside", "p99.9 during", "waited"
    );
    for timeline in [&by_hand, &ours] {
        println!("{}", timeline.row());
    }
    let waited = ours.waited() as f64 / ours.samples.len() as f64;
    std::fs::write(&path, draw(&[by_hand, ours]))?;
    println!("drawn: {path}");
    // None should; a machine that stands still for a while makes some.
    match waited < 0.05 {
        true => Ok(()),
        false => Err("requests waited for renewals".into()),
    }
}

/// A token endpoint that notes when it was busy.
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

/// When a request came, and how long it took until it could go out with a token.
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

/// The innermost service of either: a request that got here had its token.
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
        async { Ok::<_, BoxError>(Token::new(fetch.await).expires_in(LIFETIME)) }
    });
    let source = TokenSource::builder(fetcher)
        .origin("https://api.example")
        // The default second between two fetches is longer than these tokens live.
        .policy(|policy| policy.min_flight_interval = Duration::from_millis(100))
        .build()?;
    Ok(OAuthLayer::new(source).layer(service_fn(answer)))
}

/// What is usually written by hand.
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
        let (during, beside): (Vec<_>, Vec<_>) = later.partition(|it| self.is_fetching(it.at));
        format!(
            "{:<32} {:>9} {:>9} {:>12} {:>12} {:>12} {:>9}",
            self.name,
            self.samples.len(),
            self.fetches.len(),
            format!("{:?}", quantile(&beside, 0.5)),
            format!("{:?}", quantile(&beside, 0.999)),
            format!("{:?}", quantile(&during, 0.999)),
            self.waited(),
        )
    }

    /// Those after the first token, which is everybody's to wait for.
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
            // The request that starts a fetch comes before it by the runtime's timer.
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

const WIDTH: f64 = 860.0;
const LEFT: f64 = 70.0;
const PANEL: f64 = 190.0;
const TOP: f64 = 48.0;
/// The vertical axis, logarithmic: from 10 ns, seven decades.
const LOWEST: f64 = 1e-8;
const DECADES: f64 = 7.0;

fn draw(timelines: &[Timeline]) -> String {
    let height = timelines.len() as f64 * (PANEL + TOP) + 40.0;
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {} {height}' font-family='sans-serif' font-size='12' fill='#333'>\n\
         <rect width='100%' height='100%' fill='#fdfdfb'/>\n",
        LEFT + WIDTH + 20.0
    );
    for (number, timeline) in timelines.iter().enumerate() {
        let top = TOP + number as f64 * (PANEL + TOP);
        write!(
            svg,
            "<g transform='translate({LEFT} {top})'>\n{}</g>\n",
            panel(timeline)
        )
        .expect("text");
    }
    let bottom = height - 12.0;
    write!(
        svg,
        "<text x='{LEFT}' y='{bottom}'>seconds; grey: a fetch is under way; each bar: the slowest request within 4 ms</text>\n</svg>\n"
    )
    .expect("text");
    svg
}

fn panel(timeline: &Timeline) -> String {
    let mut panel = format!(
        "<text y='-8' font-size='14' font-weight='bold'>{}: until a request had its token</text>\n",
        timeline.name
    );
    for [start, end] in &timeline.fetches {
        let (x, width) = (x(*start), x(*end) - x(*start));
        writeln!(
            panel,
            "<rect x='{x:.1}' width='{width:.1}' height='{PANEL}' fill='#d9d9d4'/>"
        )
        .expect("text");
    }
    for (decade, label) in ["10 ns", "", "1 µs", "", "100 µs", "", "10 ms", ""]
        .iter()
        .enumerate()
    {
        let y = PANEL - PANEL * decade as f64 / DECADES;
        writeln!(
            panel,
            "<line x2='{WIDTH}' y1='{y:.1}' y2='{y:.1}' stroke='#bbb' stroke-width='0.5'/>\
             <text x='-8' y='{:.1}' text-anchor='end'>{label}</text>",
            y + 4.0
        )
        .expect("text");
    }
    for second in 0..=RUN.as_secs() {
        let x = x(Duration::from_secs(second));
        writeln!(
            panel,
            "<text x='{x:.1}' y='{}' text-anchor='middle'>{second}</text>",
            PANEL + 15.0
        )
        .expect("text");
    }
    let bars: String = bars(timeline).collect();
    panel + "<path stroke='#b3541e' stroke-width='1.5' d='" + &bars + "'/>\n"
}

/// The slowest request of every so many milliseconds, as a bar from the bottom.
fn bars(timeline: &Timeline) -> impl Iterator<Item = String> {
    const SLOT: u128 = 4;
    let mut slowest = std::collections::BTreeMap::<u128, Duration>::new();
    for sample in &timeline.samples {
        let slot = slowest.entry(sample.at.as_millis() / SLOT).or_default();
        *slot = sample.ready_after.max(*slot);
    }
    slowest.into_iter().map(|(slot, slowest)| {
        let x = x(Duration::from_millis((slot * SLOT) as u64));
        let height = PANEL * (slowest.as_secs_f64() / LOWEST).log10().clamp(0.0, DECADES) / DECADES;
        format!("M{x:.1} {PANEL}v-{height:.1}")
    })
}

fn x(at: Duration) -> f64 {
    WIDTH * at.as_secs_f64() / RUN.as_secs_f64()
}
