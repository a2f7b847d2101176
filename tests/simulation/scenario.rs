//! What a seed determines: the policy, the bank, the traffic and the faults.

use std::time::Duration;

use fastrand::Rng;
use tower_oauth::{BackOff, Margin, Policy};

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) policy: Policy,
    /// The lifetime that most tokens have.
    pub(crate) lifetime: Duration,
    /// Rejects by a 403 that may mean something else, as ANBIMA does.
    pub(crate) ambiguous: bool,
    /// How many requests may be with the API at once.
    pub(crate) permits: usize,
    pub(crate) keep_fresh: bool,
    pub(crate) clients: usize,
    /// What each client does, in number.
    pub(crate) calls: u32,
    pub(crate) pause: Duration,
    /// What else happens, in number.
    pub(crate) events: u32,
    pub(crate) span: Duration,
    /// How often the endpoint hands out the token it handed out last.
    pub(crate) repeats: f64,
    /// How often a request is for something outside the contracted plan.
    pub(crate) unplanned: f64,
    pub(crate) ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The faults end, and the source recovers.
    Calm,
    /// Shut down in the middle of the traffic.
    Shutdown,
    /// Every handle is dropped in the middle of a fetch, if there is one.
    Dropped,
}

/// With this many permits no caller ever waits for one.
pub(crate) const ROOMY: usize = 10_000;

impl Scenario {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let lifetime = lifetime(rng);
        let span = lifetime.mul_f64(between(rng, 2.0, 12.0)).max(secs(5.0));
        let clients = rng.usize(1..6);
        let calls = rng.u32(4..24);
        Self {
            seed,
            policy: policy(rng, lifetime),
            lifetime,
            ambiguous: rng.bool(),
            permits: if one_in(rng, 3) {
                rng.usize(1..4)
            } else {
                ROOMY
            },
            keep_fresh: one_in(rng, 3),
            clients,
            calls,
            pause: span / calls,
            events: rng.u32(2..20),
            span,
            repeats: if one_in(rng, 4) { rng.f64() } else { 0.0 },
            unplanned: if one_in(rng, 3) { 0.3 * rng.f64() } else { 0.0 },
            ending: match rng.u32(0..8) {
                0 => Ending::Shutdown,
                1 => Ending::Dropped,
                _ => Ending::Calm,
            },
        }
    }

    pub(crate) fn is_roomy(&self) -> bool {
        self.permits == ROOMY
    }

    /// The longest that the source may be without a token once the endpoint is well: the fetch under way fails, and its
    /// back-off is the longest there is.
    pub(crate) fn longest_recovery(&self) -> Duration {
        let policy = &self.policy;
        let back_offs = [
            policy.back_off.transient,
            policy.back_off.unclear,
            policy.back_off.permanent,
        ];
        let longest = back_offs.map(|it| it.max.mul_f64(1.25)).into_iter().max();
        let asked = policy.retry.max_retry_after.mul_f64(1.1);
        let fetch = policy.back_off.min_fetch_interval + policy.timeouts.fetch;
        2 * fetch + longest.unwrap_or_default().max(asked)
    }

    /// The longest that rejected requests may go on being rejected after that, while they are made at a steady pace.
    pub(crate) fn longest_healing(&self) -> Duration {
        let restraint =
            (4 * self.policy.rejection.suspicion.max).max(2 * self.policy.rejection.refill);
        self.longest_recovery() + restraint
    }
}

/// From a blink to two days, which is longer than is believed.
fn lifetime(rng: &mut Rng) -> Duration {
    let (from, to) = match rng.u32(0..6) {
        0 => (0.04, 1.0),
        1 | 2 => (1.0, 60.0),
        3 => (60.0, 900.0),
        4 => (900.0, 7200.0),
        _ => (7200.0, 172_800.0),
    };
    within(rng, from, to)
}

/// Half of the numbers are the defaults.
fn policy(rng: &mut Rng, lifetime: Duration) -> Policy {
    let mut policy = Policy::default();
    if rng.bool() {
        policy.lifetime.max = within(rng, 10.0, 86_400.0);
    }
    policy.lifetime.default = lifetime.min(policy.lifetime.max);
    if rng.bool() {
        refresh(rng, &mut policy);
    }
    if rng.bool() {
        bounds(rng, &mut policy);
    }
    if rng.bool() {
        retries(rng, &mut policy);
    }
    if rng.bool() {
        restraint(rng, &mut policy);
    }
    policy.refresh.single_active = one_in(rng, 8);
    if rng.bool() {
        let longest = policy.timeouts.acquire.as_secs_f64().min(10.0);
        policy.rejection.suspended_wait = within(rng, 0.0, longest);
    }
    policy
}

fn refresh(rng: &mut Rng, policy: &mut Policy) {
    policy.refresh.margin = match rng.bool() {
        true => Margin::Fraction(between(rng, 0.01, 0.5)),
        false => Margin::Fixed(policy.lifetime.max.mul_f64(between(rng, 0.001, 0.499))),
    };
    policy.refresh.max_margin = within(rng, 0.01, 7200.0);
    policy.refresh.jitter = between(rng, 0.0, 0.5);
    policy.lifetime.leeway = within(rng, 0.0, 60.0);
}

fn bounds(rng: &mut Rng, policy: &mut Policy) {
    policy.timeouts.attempt = within(rng, 0.02, 10.0);
    policy.timeouts.fetch = policy.timeouts.attempt + within(rng, 0.001, 20.0);
    policy.back_off.min_fetch_interval = within(rng, 0.001, 3.0);
    policy.timeouts.acquire =
        policy.timeouts.fetch + policy.back_off.min_fetch_interval + within(rng, 0.001, 10.0);
    policy.retry.max_retry_after_in_fetch = policy.timeouts.fetch.mul_f64(between(rng, 0.0, 0.99));
    policy.retry.max_retry_after = policy.retry.max_retry_after_in_fetch + within(rng, 0.0, 300.0);
}

fn retries(rng: &mut Rng, policy: &mut Policy) {
    policy.retry.attempts = rng.u32(1..6);
    policy.retry.first_wait = within(rng, 0.0, 2.0);
    policy.back_off.transient = back_off(rng);
    policy.back_off.unclear = back_off(rng);
    policy.back_off.permanent = back_off(rng);
}

fn restraint(rng: &mut Rng, policy: &mut Policy) {
    policy.rejection.burst = rng.u32(0..5);
    policy.rejection.refill = within(rng, 0.1, 60.0);
    policy.rejection.suspicion = back_off(rng);
}

fn back_off(rng: &mut Rng) -> BackOff {
    let first = within(rng, 0.01, 10.0);
    BackOff::new(first, first.mul_f64(between(rng, 1.0, 60.0)))
}

pub(crate) fn one_in(rng: &mut Rng, of: u32) -> bool {
    rng.u32(0..of) == 0
}

pub(crate) fn between(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from + (to - from) * rng.f64()
}

/// Whole milliseconds, as tokio's timers go by them.
pub(crate) fn within(rng: &mut Rng, from: f64, to: f64) -> Duration {
    let millis = Duration::from_secs_f64(between(rng, from, to)).as_millis();
    Duration::from_millis(u64::try_from(millis).unwrap())
}

pub(crate) fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}
