//! The numbers of a policy, in groups.

use std::time::Duration;

use super::Margin;

/// The time-outs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The bound of one attempt, its body included. Default: 8 s.
    pub attempt: Duration,
    /// The bound of one fetch: all its attempts and the waits between them. Default: 20 s.
    pub fetch: Duration,
    /// The bound of one request's wait for a token; the fetch goes on without it. Default: 25 s.
    ///
    /// It must exceed `fetch` and [`BackOffPolicy::min_fetch_interval`] together, so that a waiter sees the fetch's
    /// error and not its own time-out.
    pub acquire: Duration,
}

/// The attempts of one fetch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The attempts in one fetch, of which all but the last end in a transient failure. Default: 3. Set 1 to switch
    /// retries off.
    pub attempts: u32,
    /// The first wait between attempts is drawn from zero to this, and each further one from twice the range.
    /// Default: 200 ms.
    pub first_wait: Duration,
    /// The longest `Retry-After` that is waited for within a fetch. Default: 5 s.
    pub max_retry_after_in_fetch: Duration,
    /// The longest `Retry-After` that is honoured; a longer one is cut to it. Default: 5 minutes, or a dialect's
    /// [`wait_after_429`](crate::client_credentials::Dialect::wait_after_429) where that is longer; at most a day.
    pub max_retry_after: Duration,
}

/// The waits after failed fetches.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BackOffPolicy {
    /// After a transient failure. Default: 1 s, doubling to 60 s.
    pub transient: BackOff,
    /// After an unclear failure. Default: 5 s, doubling to 60 s.
    pub unclear: BackOff,
    /// After a permanent failure. Default: 5 s, doubling to 5 minutes.
    pub permanent: BackOff,
    /// The shortest time between the starts of two fetches, whatever their causes. Default: 1 s; at least 1 ms.
    ///
    /// Shorten it in tests only: it bounds the fetches at a bank that rejects its new tokens.
    pub min_fetch_interval: Duration,
}

/// When a token is replaced ahead of its expiry, behind the requests.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RefreshPolicy {
    /// How long before its expiry a token is refreshed. Default: 20 % of the lifetime.
    ///
    /// Keep it longer than your longest expected outage: a token endpoint that is down for longer than the margin costs
    /// requests.
    pub margin: Margin,
    /// The longest margin that a [`Margin::Fraction`] can make. Default: 1 hour.
    pub max_margin: Duration,
    /// The largest part of the lifetime by which a refresh is moved ahead at random, once per token, so that replicas
    /// started together do not refresh together. Default: 0.1. Margin and jitter together never exceed half the
    /// lifetime.
    pub jitter: f64,
    /// Whether a new token ends the client's older ones. A refresh then waits until the token may no longer be used,
    /// and requests wait for it. Default: `false`.
    ///
    /// Do not set it for a bank whose tokens live side by side. More than one replica at a bank that needs it must
    /// share one source.
    pub single_active: bool,
}

/// Bounds on a token's lifetime.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LifetimePolicy {
    /// The lifetime of a token whose answer states none. Default: 5 minutes.
    pub default: Duration,
    /// The longest lifetime. A longer one is cut to it; for a token of some age, the rest of its lifetime counts.
    /// Default: 24 hours; at most 366 days.
    pub max: Duration,
    /// How long before its expiry a token is no longer attached, for clock skew and time on the wire. Default: 10 s,
    /// and never more than 5 % of the lifetime.
    ///
    /// Do not set zero: a token could expire on its way to the API.
    pub leeway: Duration,
}

/// Limits on the fetches that rejections cause.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RejectionPolicy {
    /// How many tokens may be fetched in a row because of definite rejections. Default: 3. Zero allows none.
    pub burst: u32,
    /// The time after which one more such fetch is allowed. Default: 20 s.
    pub refill: Duration,
    /// How long until the next fetch for an ambiguous rejection, if a new token did not help. Default: 30 s, doubling
    /// to 2 minutes.
    pub suspicion: BackOff,
    /// How long requests wait for the replacement of a suspended token, counted from the rejection. After it the token
    /// is restored: it is used again while the fetch goes on, and further rejections do not suspend it. Default: 2 s;
    /// at most [`Timeouts::acquire`], and cut to it where that is shorter than the default. Zero switches the wait off.
    ///
    /// A token that was fetched because of a definite rejection is not suspended after the API has accepted it: the
    /// cause is then a route that rejects any token, and requests use the token while its replacement is fetched.
    ///
    /// Raise it if your token endpoint often takes longer: requests sent with a revoked token are rejected. Keep it
    /// short if one route may answer 401 while the token works for the others: they wait for it, once.
    pub suspended_wait: Duration,
}

/// A wait that doubles from one failure to the next.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::{BackOff, Policy};
///
/// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
/// let mut policy = Policy::default();
/// assert_eq!(policy.back_off.permanent.max, minutes(5));
/// policy.back_off.permanent = BackOff::new(minutes(1), minutes(30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl BackOff {
    /// Creates a wait that doubles from `first` to `max`.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }

    /// Returns the wait after this many failures in a row.
    pub(super) fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.max)
    }

    pub(crate) fn doubled(self, wait: Duration) -> Duration {
        wait.saturating_mul(2).min(self.max)
    }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) const SUSPENDED_WAIT: Duration = secs(2);

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            attempt: secs(8),
            fetch: secs(20),
            acquire: secs(25),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            first_wait: Duration::from_millis(200),
            max_retry_after_in_fetch: secs(5),
            max_retry_after: secs(300),
        }
    }
}

impl Default for BackOffPolicy {
    fn default() -> Self {
        Self {
            transient: BackOff::new(secs(1), secs(60)),
            unclear: BackOff::new(secs(5), secs(60)),
            permanent: BackOff::new(secs(5), secs(300)),
            min_fetch_interval: secs(1),
        }
    }
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            margin: Margin::Fraction(0.2),
            max_margin: secs(3600),
            jitter: 0.1,
            single_active: false,
        }
    }
}

impl Default for LifetimePolicy {
    fn default() -> Self {
        Self {
            default: secs(300),
            max: secs(24 * 3600),
            leeway: secs(10),
        }
    }
}

impl Default for RejectionPolicy {
    fn default() -> Self {
        Self {
            burst: 3,
            refill: secs(20),
            suspicion: BackOff::new(secs(30), secs(120)),
            suspended_wait: SUSPENDED_WAIT,
        }
    }
}
