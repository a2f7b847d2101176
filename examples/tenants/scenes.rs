//! What happens to the customers, and what must hold.

use std::{
    iter,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use http::StatusCode;
use tokio::time::{self, Instant};
use tower_oauth::{OAuthError, testing::Fault};

use crate::{
    customers::{Customer, Customers},
    load::{Tally, Traffic, at_once},
    report::Report,
    stack::{IDLE_TIMEOUT, Stack},
};

/// How often something is looked at that has no signal.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) async fn cold_start(stack: &Arc<Stack>, customers: &Customers, report: &mut Report) {
    let first = customers.first();
    let bar = report.scene("cold start: each customer sends a request", first.len());
    let started = Instant::now();
    let tally = at_once(stack, &first, || bar.inc(1)).await;
    let seconds = started.elapsed().as_secs_f64();
    let fetched = stack.bank.counters().token_requests;
    report.check(
        "cold start: one token request for each customer",
        format!("{fetched} for {} in {seconds:.1} s", first.len()),
        fetched == first.len() as u64,
    );
    report.check(
        "cold start: each request is answered as its customer",
        shown(tally),
        tally.is_good(),
    );
    within_rate(
        "cold start: no token request over the bank's rate",
        stack,
        report,
    );
}

pub(crate) async fn steady(stack: &Stack, traffic: &Traffic, report: &mut Report) {
    report.scene("steady traffic", 0);
    let (before, fetched) = (traffic.tally(), stack.bank.counters().token_requests);
    time::sleep(Duration::from_secs(2)).await;
    let tally = traffic.tally().since(before);
    let fetched = stack.bank.counters().token_requests - fetched;
    report.check(
        "steady traffic: no token request",
        format!("{fetched} for {} requests", tally.requests),
        fetched == 0 && tally.is_good(),
    );
}

/// The bank revokes the token of one customer.
pub(crate) async fn revoked(
    stack: &Stack,
    traffic: &Traffic,
    customer: Customer,
    report: &mut Report,
) {
    report.scene("a token is revoked", 0);
    let (before, fetched) = (traffic.tally(), stack.bank.counters().token_requests);
    let id = customer.id();
    let client = stack.bank.client(&id);
    let issued = client.counters().tokens_issued;
    client.revoke_all();
    let result = stack.call(customer).await;
    let refused = client.counters().api_requests - client.counters().api_ok;
    report.check(
        "revoked token: the request is rejected, and retried with a new token",
        format!("rejected {refused}, then {}", outcome(&result)),
        result.is_ok() && refused > 0 && client.counters().tokens_issued == issued + 1,
    );
    // The traffic comes by the customer, too.
    time::sleep(Duration::from_millis(500)).await;
    let tally = traffic.tally().since(before);
    let fetched = stack.bank.counters().token_requests - fetched;
    report.check(
        "revoked token: nobody else notices",
        format!("{}, token requests: {fetched}", shown(tally)),
        tally.is_good() && fetched == 1,
    );
}

/// The platform's table has a wrong secret for one customer.
pub(crate) async fn wrong_secret(
    stack: &Stack,
    traffic: &Traffic,
    customer: Customer,
    report: &mut Report,
) {
    const REQUESTS: usize = 20;
    report.scene("a secret is wrong", 0);
    let before = traffic.tally();
    let mut named = 0;
    for _ in 0..REQUESTS {
        if let Err(error) = stack.call(customer).await {
            let is_denied = OAuthError::find(&*error).is_some_and(OAuthError::is_denied);
            named += usize::from(is_denied && error.to_string().contains(&customer.id()));
        }
    }
    let fetched = stack.bank.client(&customer.id()).counters().token_requests;
    time::sleep(Duration::from_millis(300)).await;
    report.check(
        "wrong secret: each error names the customer, and one token request is made",
        format!("{named} of {REQUESTS} errors, {fetched} token request"),
        named == REQUESTS && fetched == 1,
    );
    let tally = traffic.tally().since(before);
    report.check(
        "wrong secret: the others go on",
        shown(tally),
        tally.is_good(),
    );

    stack.table.correct();
    stack.pool.remove(&customer);
    let result = stack.call(customer).await;
    report.check(
        "wrong secret: corrected and removed from the pool, it works at once",
        outcome(&result),
        result.is_ok(),
    );
}

/// The bank answers one token request with 429, while many customers need a token.
pub(crate) async fn too_many_requests(
    stack: &Arc<Stack>,
    traffic: &Traffic,
    customers: &[Customer],
    report: &mut Report,
) {
    let bar = report.scene("the bank says 429, wait 2 s", customers.len());
    let before = traffic.tally();
    for customer in customers {
        stack.pool.remove(customer);
    }
    // A delay of nothing is an answer without a fault.
    let good = iter::repeat_n(Fault::Delay(Duration::ZERO), customers.len() / 5);
    let wait = Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "2");
    stack.bank.token_faults(good.chain([wait]));
    let requests = at_once(stack, customers, || bar.inc(1));
    let (tally, paused) = tokio::join!(requests, pause(stack));
    report.check(
        "429: no customer's token request reaches the bank during the pause",
        format!(
            "{} in {:.1} s",
            paused.token_requests,
            paused.length.as_secs_f64()
        ),
        paused.token_requests == 0 && !paused.length.is_zero(),
    );
    report.check(
        "429: those who waited get their tokens after it",
        shown(tally),
        tally.is_good(),
    );
    let tally = traffic.tally().since(before);
    report.check(
        "429: those who have a token notice nothing",
        shown(tally),
        tally.is_good(),
    );
}

struct Paused {
    token_requests: u64,
    length: Duration,
}

/// Watches the bank during a pause. An attempt that was under way when it began may still reach the bank.
async fn pause(stack: &Stack) -> Paused {
    while stack.endpoint.status().pauses == 0 {
        time::sleep(LOOK).await;
    }
    let mut paused = Paused {
        token_requests: 0,
        length: Duration::ZERO,
    };
    let mut quiet_since = None;
    loop {
        // Read first: what it counts has come before the look at the pause.
        let counted = stack.bank.counters().token_requests;
        let status = stack.endpoint.status();
        match quiet_since {
            _ if status.paused_until.is_none() => return paused,
            Some((since, before)) => {
                paused = Paused {
                    token_requests: counted - before,
                    length: Instant::elapsed(&since),
                }
            }
            None if status.under_way == 0 => {
                quiet_since = Some((Instant::now(), stack.bank.counters().token_requests));
            }
            None => {}
        }
        time::sleep(LOOK).await;
    }
}

/// For a while all but the quiet customers send requests.
pub(crate) async fn idle(stack: &Arc<Stack>, customers: &Customers, report: &mut Report) {
    let active = [
        &*customers.busy,
        &customers.held_back,
        &[customers.mistaken],
    ]
    .concat();
    let bar = report.scene("idle customers", active.len());
    advance(IDLE_TIMEOUT * 2 / 3).await;
    let tally = at_once(stack, &active, || bar.inc(1)).await;
    advance(IDLE_TIMEOUT * 2 / 3).await;
    stack.pool.evict_idle();
    let (status, quiet) = (stack.pool.status(), customers.quiet.len() as u64);
    report.check(
        "idle: the sources of those who send nothing are evicted, and no others",
        format!(
            "{} of {}",
            status.evicted_idle,
            status.evicted_idle + status.sources.total
        ),
        tally.is_good()
            && status.evicted_idle == quiet
            && status.sources.total == active.len() as u64,
    );
}

/// Moves tokio's clock forward, which is the pool's.
async fn advance(by: Duration) {
    time::pause();
    time::advance(by).await;
    time::resume();
}

pub(crate) async fn back_again(stack: &Arc<Stack>, quiet: &[Customer], report: &mut Report) {
    let bar = report.scene("the idle customers come back", quiet.len());
    let fetched = stack.bank.counters().token_requests;
    let tally = at_once(stack, quiet, || bar.inc(1)).await;
    let fetched = stack.bank.counters().token_requests - fetched;
    report.check(
        "idle: an evicted customer comes back with one token request",
        format!("{}, token requests: {fetched}", shown(tally)),
        tally.is_good() && fetched == quiet.len() as u64,
    );
}

/// More customers than the pool has room for.
pub(crate) async fn full(stack: &Arc<Stack>, customers: &Customers, report: &mut Report) {
    let (newcomers, all) = (&customers.newcomers, customers.all());
    let bar = report.scene(
        "more customers than the pool's capacity",
        newcomers.len() + all.len(),
    );
    let tally = at_once(stack, newcomers, || bar.inc(1)).await;
    let status = stack.pool.status();
    report.check(
        "capacity: newcomers are answered, and the pool stays within its capacity",
        format!(
            "{}, {} of {} sources",
            shown(tally),
            status.sources.total,
            status.capacity
        ),
        tally.is_good() && status.sources.total <= status.capacity && status.evicted_full > 0,
    );
    let (evicted, made_before) = (status.evicted_full, status.made);
    let tally = at_once(stack, &all, || bar.inc(1)).await;
    let made = stack.pool.status().made - made_before;
    report.check(
        "capacity: evicted customers come back when they need a token",
        format!("{evicted} evicted, {made} made again"),
        tally.is_good() && made >= evicted,
    );
}

pub(crate) fn all(stack: &Stack, report: &mut Report) {
    let of_another = stack.of_another.load(Ordering::Relaxed);
    let responses = stack.responses.load(Ordering::Relaxed);
    report.check(
        "all: each response is of the customer that sent the request",
        format!("{of_another} of {responses} of another"),
        of_another == 0 && responses > 0,
    );
    within_rate("all: no token request over the bank's rate", stack, report);
}

pub(crate) async fn end(stack: Arc<Stack>, report: &mut Report) {
    report.scene("the pool is dropped", 0);
    let stack = Arc::into_inner(stack).expect("all requests have ended");
    let Stack {
        bank,
        dialect,
        pool,
        ..
    } = stack;
    let sources = pool.status().sources.total;
    drop(pool);
    let fetched = bank.counters().token_requests;
    time::sleep(Duration::from_millis(500)).await;
    let fetched = bank.counters().token_requests - fetched;
    let left = Arc::strong_count(&dialect) - 1;
    report.check(
        "dropped pool: all its sources end",
        format!("{left} left of {sources}, token requests: {fetched}"),
        left == 0 && fetched == 0,
    );
}

fn within_rate(promise: &'static str, stack: &Stack, report: &mut Report) {
    let counters = stack.bank.counters();
    report.check(
        promise,
        format!(
            "{} of {} over it",
            counters.token_over_rate, counters.token_requests
        ),
        counters.token_over_rate == 0,
    );
}

fn shown(tally: Tally) -> String {
    format!("{} requests, {} failed", tally.requests, tally.failed)
}

fn outcome(result: &Result<(), tower_oauth::BoxError>) -> String {
    match result {
        Ok(()) => "answered".into(),
        Err(error) => error.to_string(),
    }
}
