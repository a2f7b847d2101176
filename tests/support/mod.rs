//! A scripted token endpoint and a recording API, for tests on a paused clock.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod http2;
pub mod layered;
pub mod logs;
pub mod presets;
pub mod tls;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tower::{service_fn, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, Clock, FetchCause, Generation, OAuthError, Token, TokenRequest, TokenSource,
    TokenSourceBuilder,
};

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What the endpoint does with one attempt.
pub enum Answer {
    Token(Token),
    Fail(BoxError),
    Hang,
    Panic,
}

/// A token endpoint: by default it hands out `token-1`, `token-2`, … with a lifetime of an hour, at once. Clones are
/// the same endpoint.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
    pub clock: Clock,
}

struct Shared {
    script: Mutex<VecDeque<Answer>>,
    lifetime: Mutex<Duration>,
    latency: Mutex<Duration>,
    /// What arrived, and when, since the endpoint was made.
    arrivals: Mutex<Vec<(Duration, TokenRequest)>>,
    tokens: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    started: tokio::time::Instant,
}

impl Endpoint {
    /// Must be made inside a runtime with a paused clock.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                script: Mutex::default(),
                lifetime: Mutex::new(secs(3600)),
                latency: Mutex::new(Duration::ZERO),
                arrivals: Mutex::default(),
                tokens: AtomicUsize::new(0),
                under_way: AtomicUsize::new(0),
                most_under_way: AtomicUsize::new(0),
                started: tokio::time::Instant::now(),
            }),
            clock: Clock::tokio(),
        }
    }

    pub fn lifetime(self, lifetime: Duration) -> Self {
        *self.shared.lifetime.lock().unwrap() = lifetime;
        self
    }

    pub fn latency(self, latency: Duration) -> Self {
        *self.shared.latency.lock().unwrap() = latency;
        self
    }

    /// Answers for the next attempts; after them the default again.
    pub fn then(&self, answer: Answer) -> &Self {
        self.shared.script.lock().unwrap().push_back(answer);
        self
    }

    pub fn then_fail(&self, error: impl Into<BoxError>) -> &Self {
        self.then(Answer::Fail(error.into()))
    }

    /// How many attempts arrived.
    pub fn attempts(&self) -> usize {
        self.shared.arrivals.lock().unwrap().len()
    }

    /// When they arrived, since the endpoint was made.
    pub fn arrivals(&self) -> Vec<Duration> {
        let arrivals = self.shared.arrivals.lock().unwrap();
        arrivals.iter().map(|(at, _)| *at).collect()
    }

    /// Why they were made.
    pub fn causes(&self) -> Vec<FetchCause> {
        let arrivals = self.shared.arrivals.lock().unwrap();
        arrivals.iter().map(|(_, it)| it.cause()).collect()
    }

    /// The time since the endpoint was made.
    pub fn elapsed(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// Moves the clock to exactly that long after the endpoint was made.
    pub async fn advance_to(&self, at: Duration) {
        tokio::time::advance(at.checked_sub(self.elapsed()).expect("it is later already")).await;
    }

    /// How many attempts were under way at once, at most.
    pub fn most_under_way(&self) -> usize {
        self.shared.most_under_way.load(Ordering::SeqCst)
    }

    /// A builder of a source over this endpoint, on its clock, with a fixed seed.
    pub fn builder(&self) -> TokenSourceBuilder {
        let shared = self.shared.clone();
        TokenSource::builder(service_fn(move |request| {
            let shared = shared.clone();
            async move { shared.answer(request).await }
        }))
        .name("test")
        .clock(self.clock.clone())
        .seed(7)
    }

    pub fn source(&self) -> TokenSource {
        self.builder().build().unwrap()
    }
}

impl Shared {
    async fn answer(&self, request: TokenRequest) -> Result<Token, BoxError> {
        let now = self.started.elapsed();
        self.arrivals.lock().unwrap().push((now, request));
        let _under_way = UnderWay::new(self);
        let latency = *self.latency.lock().unwrap();
        // Also a latency of zero yields, so that everyone who wants to can join.
        tokio::time::sleep(latency).await;
        let scripted = self.script.lock().unwrap().pop_front();
        match scripted {
            None => Ok(self.next_token()),
            Some(Answer::Token(token)) => Ok(token),
            Some(Answer::Fail(error)) => Err(error),
            Some(Answer::Hang) => std::future::pending().await,
            Some(Answer::Panic) => panic!("scripted panic"),
        }
    }

    fn next_token(&self) -> Token {
        let number = self.tokens.fetch_add(1, Ordering::SeqCst) + 1;
        Token::new(format!("token-{number}")).with_lifetime(*self.lifetime.lock().unwrap())
    }
}

/// The source's token as text, waited for if need be.
pub async fn text(source: &TokenSource) -> String {
    source.token().await.unwrap().expose_token().to_owned()
}

/// What asking for a token comes to at once; `None` when it would wait.
pub fn at_once(source: &TokenSource) -> Option<Result<String, OAuthError>> {
    let result = source.token().now_or_never()?;
    Some(result.map(|token| token.expose_token().to_owned()))
}

/// The token that is served without waiting; panics if there is none.
pub fn served(source: &TokenSource) -> String {
    at_once(source).expect("it would wait").unwrap()
}

/// Lets the fetch under way end, without a request that waits for it.
pub async fn fetch_ended(source: &TokenSource) {
    while source.status().fetching {
        tokio::time::sleep(millis(1)).await;
    }
}

/// Asks for a token at a steady pace; returns how many of the requests would have had to wait, or failed.
pub async fn ask_steadily(source: &TokenSource, every: Duration, during: Duration) -> usize {
    let end = tokio::time::Instant::now() + during;
    let mut unserved = 0;
    while tokio::time::Instant::now() < end {
        unserved += usize::from(!matches!(at_once(source), Some(Ok(_))));
        tokio::time::sleep(every).await;
    }
    unserved
}

struct UnderWay<'a>(&'a Shared);

impl<'a> UnderWay<'a> {
    fn new(shared: &'a Shared) -> Self {
        let now = shared.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_under_way.fetch_max(now, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The API behind the layer: records what arrives, and answers what its rule says.
#[derive(Clone)]
pub struct Api {
    seen: Arc<Mutex<Vec<Request<String>>>>,
    rule: Arc<Rule>,
}

type Rule = dyn Fn(&Request<String>) -> StatusCode + Send + Sync;

pub type ApiService = BoxCloneSyncService<Request<String>, Response<String>, BoxError>;

impl Api {
    /// Answers every request with what the rule makes of it.
    pub fn new(rule: impl Fn(&Request<String>) -> StatusCode + Send + Sync + 'static) -> Self {
        Self {
            seen: Arc::default(),
            rule: Arc::new(rule),
        }
    }

    /// Answers 200 to everything.
    pub fn ok() -> Self {
        Self::new(|_| StatusCode::OK)
    }

    pub fn service(&self) -> ApiService {
        let api = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<String>| {
            let api = api.clone();
            async move {
                let status = (api.rule)(&request);
                let text = request.body().clone();
                api.seen.lock().unwrap().push(request);
                let mut response = Response::new(text);
                *response.status_mut() = status;
                Ok::<_, BoxError>(response)
            }
        }))
    }

    /// How many requests arrived.
    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The bearer tokens that arrived, in order.
    pub fn tokens(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(bearer).collect()
    }

    /// The requests that arrived.
    pub fn requests(&self) -> Vec<Request<String>> {
        self.seen.lock().unwrap().clone()
    }
}

/// The bearer token of a request, or nothing.
pub fn bearer(request: &Request<String>) -> String {
    let header = request.headers().get("authorization");
    let text = header.and_then(|value| value.to_str().ok());
    text.and_then(|text| text.strip_prefix("Bearer "))
        .unwrap_or_default()
        .to_owned()
}

pub fn get(path: &str) -> Request<String> {
    request("GET", path, "")
}

pub fn request(method: &str, path: &str, body: &str) -> Request<String> {
    Request::builder()
        .method(method)
        .uri(format!("https://api.example{path}"))
        .body(body.to_owned())
        .unwrap()
}

/// The generation that a response was marked with.
pub fn generation(response: &Response<String>) -> Option<u64> {
    response.extensions().get::<Generation>().map(|it| it.get())
}
