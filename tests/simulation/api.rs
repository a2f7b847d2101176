//! The model bank's API, and the stack that requests go to it through.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use http::{HeaderMap, Request, Response, StatusCode, header::AUTHORIZATION};
use tokio::{sync::Semaphore, time::sleep};
use tower::{
    Layer, Service, limit::GlobalConcurrencyLimitLayer, service_fn, util::BoxCloneSyncService,
};
use tower_oauth::{BoxError, OAuthLayer, RejectionRule, TokenSource};

use crate::{
    bank::Mood,
    record::{Arrival, Mode},
    scenario::{one_in, within},
    world::World,
};

pub(crate) type Service_ = BoxCloneSyncService<Request<usize>, Response<()>, BoxError>;

/// Asks for something outside the contracted plan, which no token helps against.
pub(crate) const UNPLANNED: &str = "/unplanned";

/// A header by which the API says that it is the token, inside a 200.
pub(crate) const TOKEN_IS_BAD: &str = "x-token-is-bad";

/// The ways to send a request over one source.
#[derive(Clone)]
pub(crate) struct Stacks {
    plain: Service_,
    retry: Service_,
    danger_retry_any_method: Service_,
}

impl Stacks {
    pub(crate) fn new(world: &World, source: &TokenSource, permits: &Arc<Semaphore>) -> Self {
        let limit = GlobalConcurrencyLimitLayer::with_semaphore(permits.clone());
        let inner = limit.layer(api(world.clone()));
        let layer = OAuthLayer::new(source.clone()).expose_generation();
        let retry = layer.clone().retry_rejected();
        Self {
            plain: BoxCloneSyncService::new(layer.layer(inner.clone())),
            retry: BoxCloneSyncService::new(retry.layer(inner.clone())),
            danger_retry_any_method: BoxCloneSyncService::new(
                retry.danger_retry_any_method().layer(inner),
            ),
        }
    }

    pub(crate) fn by(&self, mode: Mode) -> Service_ {
        match mode {
            Mode::Plain => self.plain.clone(),
            Mode::RetryRejected => self.retry.clone(),
            Mode::RetryAnyMethod => self.danger_retry_any_method.clone(),
        }
    }
}

/// What the model bank means by its statuses.
pub(crate) fn rejection_rule(ambiguous: bool) -> RejectionRule {
    match ambiguous {
        true => RejectionRule::statuses([StatusCode::UNAUTHORIZED], [StatusCode::FORBIDDEN]),
        false => RejectionRule::default(),
    }
}

/// A request's body is its caller's number.
fn api(
    world: World,
) -> impl Service<
    Request<usize>,
    Response = Response<()>,
    Error = BoxError,
    Future = impl Future<Output = Result<Response<()>, BoxError>> + Send,
> + Clone
+ Send
+ Sync
+ 'static {
    let seed = world.scenario.seed ^ 0xa91;
    let rng = Arc::new(std::sync::Mutex::new(Rng::with_seed(seed)));
    service_fn(move |request: Request<usize>| {
        // Looked at when the request is handed over, which is when its token was attached.
        let stay = Stay::begin(&world, &request);
        let mut rng = rng.lock().unwrap().fork();
        async move {
            sleep(latency(&mut rng)).await;
            stay.answer(&mut rng)
        }
    })
}

fn latency(rng: &mut Rng) -> Duration {
    match rng.u32(0..20) {
        0 => within(rng, 1.0, 60.0),
        1..5 => within(rng, 0.1, 1.0),
        _ => within(rng, 0.0, 0.1),
    }
}

/// One request's stay at the API.
struct Stay {
    world: World,
    caller: usize,
    number: usize,
    status: u16,
}

impl Stay {
    fn begin(world: &World, request: &Request<usize>) -> Self {
        let serial = serial(request.headers());
        let caller = *request.body();
        let unplanned = request.uri().path() == UNPLANNED;
        let ambiguous = world.scenario.ambiguous;
        let (number, status) = world.at(|seen, at| {
            let status = match seen.bank.takes(serial, at.truth) {
                _ if unplanned => 403,
                true => 200,
                // An ambiguous bank says so clearly now and then, but not at the end: that would cure what waits.
                false if ambiguous && (seen.bank.mood == Mood::Calm || at.order % 5 != 0) => 403,
                false => 401,
            };
            let arrivals = &mut seen.record.callers[caller].arrivals;
            arrivals.push(Arrival {
                at,
                serial,
                answered: None,
            });
            (arrivals.len() - 1, status)
        });
        Self {
            world: world.clone(),
            caller,
            number,
            status,
        }
    }

    fn answer(self, rng: &mut Rng) -> Result<Response<()>, BoxError> {
        let mut response = Response::new(());
        let status = match rng.u32(0..60) {
            0 => 500,
            1 => return Err("the connection broke".into()),
            _ => self.status,
        };
        if status == 200 && one_in(rng, 60) {
            let bad = http::HeaderValue::from_static("1");
            response.headers_mut().insert(TOKEN_IS_BAD, bad);
        }
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        self.world.at(|seen, at| {
            let arrival = &mut seen.record.callers[self.caller].arrivals[self.number];
            arrival.answered = Some((at, status));
        });
        Ok(response)
    }
}

/// The number of the token that a request carries.
fn serial(headers: &HeaderMap) -> u64 {
    let value = headers[AUTHORIZATION].to_str().unwrap();
    number_of(value.strip_prefix("Bearer ").unwrap())
}

pub(crate) fn number_of(token: &str) -> u64 {
    token.strip_prefix("token-").unwrap().parse().unwrap()
}
