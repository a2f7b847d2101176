//! Every number of a token's life, its default, and the arithmetic on it.

use std::{fmt, time::Duration};

use crate::{
    error::{ConfigError, FailureClass},
    margin::Margin,
};

/// The numbers that a [`TokenSource`](crate::TokenSource) lives by.
///
/// The defaults suit a bank: change one only for a reason. What they come to is in
/// [`guide::guarantees`](crate::guide::guarantees). They are checked together when the source is built.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower::service_fn;
/// use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
///
/// let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
/// let error = TokenSource::builder(fetcher)
///     .policy(|policy| policy.acquire_timeout = Duration::from_secs(10))
///     .build()
///     .unwrap_err();
/// assert_eq!(error.field(), "acquire_timeout"); // shorter than `fetch_timeout`
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// How long before expiry a token is refreshed. Default: 20 % of the lifetime.
    ///
    /// Not to be made small: a token endpoint that is down for longer than the margin costs requests.
    pub refresh_margin: Margin,
    /// The longest margin that [`Margin::Fraction`] may come to. Default: 1 hour.
    pub max_refresh_margin: Duration,
    /// The largest part of the lifetime by which refresh is moved ahead at random, once per token, so that replicas
    /// started together do not refresh together. Default: 0.1. Margin and jitter together never exceed half the lifetime.
    pub jitter: f64,
    /// How long before its expiry a token is no longer attached, for clock skew and time on the wire. Default: 10 s,
    /// and never more than 5 % of the lifetime. Not to be zero: a token would expire on its way.
    pub expiry_leeway: Duration,
    /// The lifetime of a token whose answer states none. Default: 5 minutes.
    pub default_lifetime: Duration,
    /// The longest lifetime that is believed, of a token of some age what is left of it. Default: 24 hours; at most
    /// 366 days.
    pub max_lifetime: Duration,
    /// A new token ends the client's older ones: refresh then waits for `use_until`, and requests wait for it.
    /// Default: `false`; not for a bank whose tokens live side by side. More than one replica at such a bank needs one
    /// shared source.
    pub single_active: bool,
    /// The bound of one attempt, its body included. Default: 8 s.
    pub attempt_timeout: Duration,
    /// The bound of one fetch: all its attempts and the waits between them. Default: 20 s.
    pub fetch_timeout: Duration,
    /// The bound of one request's wait for a token; the fetch goes on without it. Default: 25 s. It must exceed
    /// `fetch_timeout` and `min_fetch_interval` together, so that a waiter sees the fetch's error and not its own
    /// time-out.
    pub acquire_timeout: Duration,
    /// How long requests wait for the replacement of a suspended token, which is one that the API rejected. After it
    /// the token is restored: it is used again while the fetch goes on, and further rejections do not suspend it. Counted
    /// from the rejection. Default: 2 s; zero switches the wait off; at most `acquire_timeout`, and cut to it where that
    /// is shorter than the default.
    ///
    /// Raise it if your token endpoint often takes longer: requests sent with a revoked token are rejected. Keep it short
    /// if one route may answer 401 while the token works for the others: they all wait for it.
    pub suspended_wait: Duration,
    /// The attempts in one fetch, of which all but the last end in a transient failure. Default: 3; 1 switches
    /// retries off.
    pub attempts: u32,
    /// The first wait between attempts is drawn from zero to this, and each further one from twice the range.
    /// Default: 200 ms.
    pub retry_wait: Duration,
    /// The longest `Retry-After` that is waited for within a fetch. Default: 5 s.
    pub max_retry_after_in_fetch: Duration,
    /// The longest `Retry-After` that is believed. Default: 5 minutes, or a dialect's
    /// [`wait_after_429`](crate::client_credentials::Dialect::wait_after_429) where that is longer; at most a day.
    pub max_retry_after: Duration,
    /// Back-off after a fetch that failed for a transient reason. Default: 1 s, doubling to 60 s.
    pub transient_back_off: BackOff,
    /// Back-off after a fetch that failed for an unclear reason. Default: 5 s, doubling to 60 s.
    pub unclear_back_off: BackOff,
    /// Back-off after a fetch that the token endpoint rejected for good. Default: 5 s, doubling to 5 minutes.
    pub permanent_back_off: BackOff,
    /// The shortest time between the starts of two fetches, whatever their causes. Default: 1 s; at least 1 ms, which
    /// is for tests: at a bank whose new tokens are rejected, it is what bounds the fetches.
    pub min_fetch_interval: Duration,
    /// How many tokens may be fetched in a row because of definite rejections. Default: 3; zero makes none.
    pub rejection_burst: u32,
    /// The time in which one more such fetch is earned. Default: 20 s.
    pub rejection_refill: Duration,
    /// After an ambiguous rejection that a new token did not cure: how long until another fetch for that reason.
    /// Default: 30 s, doubling to 2 minutes.
    pub suspicion: BackOff,
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
/// assert_eq!(Policy::default().permanent_back_off.max, minutes(5));
/// let patient = |policy: &mut Policy| policy.permanent_back_off = BackOff::new(minutes(1), minutes(30));
/// # let mut policy = Policy::default();
/// # patient(&mut policy);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl BackOff {
    /// A wait that doubles from `first` to `max`.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }

    /// The wait after that many failures in a row.
    fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.max)
    }

    pub(crate) fn doubled(self, wait: Duration) -> Duration {
        wait.saturating_mul(2).min(self.max)
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

const SUSPENDED_WAIT: Duration = Duration::from_secs(2);

/// Back-off is spread by this part in both directions, so that replicas do not come back in step.
const BACK_OFF_SPREAD: f64 = 0.25;

/// A `Retry-After` is lengthened by up to this part, for the same reason, and never shortened.
const RETRY_AFTER_SPREAD: f64 = 0.1;

/// The leeway's share of a lifetime, for tokens too short for the whole of it.
const LARGEST_LEEWAY: f64 = 0.05;

impl Default for Policy {
    fn default() -> Self {
        const fn secs(secs: u64) -> Duration {
            Duration::from_secs(secs)
        }
        Self {
            refresh_margin: Margin::Fraction(0.2),
            max_refresh_margin: secs(3600),
            jitter: 0.1,
            expiry_leeway: secs(10),
            default_lifetime: secs(300),
            max_lifetime: secs(24 * 3600),
            single_active: false,
            attempt_timeout: secs(8),
            fetch_timeout: secs(20),
            acquire_timeout: secs(25),
            suspended_wait: SUSPENDED_WAIT,
            attempts: 3,
            retry_wait: Duration::from_millis(200),
            max_retry_after_in_fetch: secs(5),
            max_retry_after: secs(300),
            transient_back_off: BackOff::new(secs(1), secs(60)),
            unclear_back_off: BackOff::new(secs(5), secs(60)),
            permanent_back_off: BackOff::new(secs(5), secs(300)),
            min_fetch_interval: secs(1),
            rejection_burst: 3,
            rejection_refill: secs(20),
            suspicion: BackOff::new(secs(30), secs(120)),
        }
    }
}

/// The parts of one token's life, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) refresh_after: Duration,
    pub(crate) use_for: Duration,
    pub(crate) lifetime: Duration,
}

impl Policy {
    /// Divides a lifetime. `draw` is the token's own random number, from 0 to 1.
    pub(crate) fn window(&self, lifetime: Duration, draw: f64) -> Window {
        let leeway = self.leeway(lifetime);
        let use_for = lifetime - leeway;
        let refresh_after = if self.single_active {
            use_for
        } else {
            (lifetime - self.refresh_ahead(lifetime, draw)).min(use_for)
        };
        Window {
            refresh_after,
            use_for,
            lifetime,
        }
    }

    /// How long before its end a token of that lifetime is no longer used.
    pub(crate) fn leeway(&self, lifetime: Duration) -> Duration {
        self.expiry_leeway.min(lifetime.mul_f64(LARGEST_LEEWAY))
    }

    /// Margin and jitter, together at most half of the lifetime.
    fn refresh_ahead(&self, lifetime: Duration, draw: f64) -> Duration {
        let margin = match self.refresh_margin {
            Margin::Fixed(margin) => margin,
            Margin::Fraction(part) => lifetime.mul_f64(part).min(self.max_refresh_margin),
        };
        let jitter = lifetime.mul_f64(self.jitter * draw);
        margin.saturating_add(jitter).min(lifetime / 2)
    }

    /// The wait before the attempt after number `attempt` of a fetch: all of it random, from a range that doubles.
    pub(crate) fn wait_between_attempts(&self, attempt: u32, draw: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.retry_wait.saturating_mul(1 << doublings).mul_f64(draw)
    }

    /// What a server asked for, as far as it is believed, lengthened a little.
    pub(crate) fn believed_retry_after(&self, asked: Duration, draw: f64) -> Duration {
        asked
            .min(self.max_retry_after)
            .mul_f64(1.0 + RETRY_AFTER_SPREAD * draw)
    }

    /// The back-off after that many failed fetches in a row.
    pub(crate) fn back_off(&self, class: FailureClass, failures: u32, draw: f64) -> Duration {
        let back_off = match class {
            FailureClass::Transient => self.transient_back_off,
            FailureClass::Unclear => self.unclear_back_off,
            FailureClass::Permanent => self.permanent_back_off,
        };
        let spread = 1.0 - BACK_OFF_SPREAD + 2.0 * BACK_OFF_SPREAD * draw;
        back_off.after(failures).mul_f64(spread)
    }

    /// Checks the numbers one by one and against each other.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.check_bounds()?;
        self.check_lifetimes()?;
        self.check_back_offs()
    }

    fn check_bounds(&self) -> Result<(), ConfigError> {
        rule(
            "attempts",
            &self.attempts,
            self.attempts > 0,
            "must be at least 1",
        )?;
        rule(
            "attempt_timeout",
            &self.attempt_timeout,
            !self.attempt_timeout.is_zero(),
            "must be above zero",
        )?;
        rule(
            "fetch_timeout",
            &self.fetch_timeout,
            self.fetch_timeout >= self.attempt_timeout,
            "must be at least `attempt_timeout`",
        )?;
        rule(
            "acquire_timeout",
            &self.acquire_timeout,
            self.acquire_timeout > self.fetch_timeout.saturating_add(self.min_fetch_interval),
            "must exceed `fetch_timeout` and `min_fetch_interval` together",
        )?;
        rule(
            "suspended_wait",
            &self.suspended_wait,
            // Whoever shortens `acquire_timeout` has made no mistake about a default.
            self.suspended_wait <= self.acquire_timeout.max(SUSPENDED_WAIT),
            "must be at most `acquire_timeout`",
        )?;
        rule(
            "max_retry_after_in_fetch",
            &self.max_retry_after_in_fetch,
            self.max_retry_after_in_fetch < self.fetch_timeout,
            "must be below `fetch_timeout`",
        )?;
        rule(
            "max_retry_after",
            &self.max_retry_after,
            self.max_retry_after >= self.max_retry_after_in_fetch && self.max_retry_after <= DAY,
            "must be at least `max_retry_after_in_fetch` and at most a day",
        )?;
        rule(
            "min_fetch_interval",
            &self.min_fetch_interval,
            self.min_fetch_interval >= Duration::from_millis(1),
            "must be at least a millisecond",
        )?;
        rule(
            "rejection_refill",
            &self.rejection_refill,
            !self.rejection_refill.is_zero(),
            "must be above zero",
        )
    }

    fn check_lifetimes(&self) -> Result<(), ConfigError> {
        self.refresh_margin.check(Some(self.max_lifetime))?;
        rule(
            "max_lifetime",
            &self.max_lifetime,
            self.max_lifetime <= 366 * DAY,
            "must be at most 366 days",
        )?;
        rule(
            "default_lifetime",
            &self.default_lifetime,
            !self.default_lifetime.is_zero() && self.default_lifetime <= self.max_lifetime,
            "must be above zero and at most `max_lifetime`",
        )?;
        rule(
            "jitter",
            &self.jitter,
            (0.0..=0.5).contains(&self.jitter),
            "must be from 0 to 0.5",
        )
    }

    fn check_back_offs(&self) -> Result<(), ConfigError> {
        let back_offs = [
            ("transient_back_off", self.transient_back_off),
            ("unclear_back_off", self.unclear_back_off),
            ("permanent_back_off", self.permanent_back_off),
            ("suspicion", self.suspicion),
        ];
        back_offs.into_iter().try_for_each(|(field, it)| {
            rule(
                field,
                &it,
                !it.first.is_zero() && it.first <= it.max && it.max <= DAY,
                "must start above zero, and end at or above its start and within a day",
            )
        })
    }
}

fn rule(
    field: &'static str,
    given: &dyn fmt::Debug,
    holds: bool,
    rule: &'static str,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError::new(field, rule).given_value(&format_args!("{given:?}")))
}

#[cfg(test)]
pub(super) mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn an_hour_is_refreshed_between_twenty_and_thirty_percent_before_its_end() {
        let policy = Policy::default();
        let latest = policy.window(secs(3600), 0.0);
        let earliest = policy.window(secs(3600), 1.0);
        assert_eq!(latest.refresh_after, secs(2880));
        assert_eq!(earliest.refresh_after, secs(2520));
        assert_eq!(latest.use_for, secs(3590));
    }

    #[test]
    fn no_lifetime_is_refreshed_before_its_half() {
        let mut policy = Policy::default();
        for margin in [Margin::Fixed(secs(300)), Margin::Fraction(0.5)] {
            policy.refresh_margin = margin;
            for lifetime in (1..86_400).step_by(61) {
                let window = policy.window(secs(lifetime), 1.0);
                assert!(window.refresh_after >= secs(lifetime) / 2, "{lifetime}");
                assert!(window.refresh_after <= window.use_for, "{lifetime}");
                assert!(window.use_for < window.lifetime, "{lifetime}");
            }
        }
    }

    #[test]
    fn a_day_is_refreshed_an_hour_ahead() {
        let window = Policy::default().window(secs(86_400), 0.0);
        assert_eq!(window.refresh_after, secs(82_800));
    }

    #[test]
    fn a_single_active_token_is_used_up() {
        let policy = Policy {
            single_active: true,
            ..Policy::default()
        };
        let window = policy.window(secs(3600), 1.0);
        assert_eq!(window.refresh_after, window.use_for);
    }

    #[test]
    fn back_off_doubles_to_its_maximum_within_a_quarter() {
        let policy = Policy::default();
        let at = |class, failures, draw| policy.back_off(class, failures, draw);
        assert_eq!(at(FailureClass::Transient, 1, 0.5), secs(1));
        assert_eq!(at(FailureClass::Transient, 3, 0.5), secs(4));
        assert_eq!(at(FailureClass::Transient, 1000, 0.5), secs(60));
        assert_eq!(at(FailureClass::Unclear, 1, 0.5), secs(5));
        assert_eq!(at(FailureClass::Permanent, 40, 0.5), secs(300));
        assert_eq!(at(FailureClass::Permanent, 40, 0.0), secs(225));
        assert_eq!(at(FailureClass::Permanent, 40, 1.0), secs(375));
    }

    #[test]
    fn a_retry_after_is_capped_and_never_cut_short() {
        let policy = Policy::default();
        assert_eq!(policy.believed_retry_after(secs(4), 0.0), secs(4));
        assert_eq!(policy.believed_retry_after(secs(100), 1.0), secs(110));
        assert_eq!(policy.believed_retry_after(Duration::MAX, 0.0), secs(300));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_named() {
        type Change = fn(&mut Policy);
        let broken: [(&str, Change); 11] = [
            ("attempts", |it| it.attempts = 0),
            ("attempt_timeout", |it| it.attempt_timeout = secs(0)),
            ("fetch_timeout", |it| it.fetch_timeout = secs(7)),
            ("acquire_timeout", |it| it.acquire_timeout = secs(21)),
            ("suspended_wait", |it| it.suspended_wait = secs(26)),
            ("max_retry_after_in_fetch", |it| {
                it.max_retry_after_in_fetch = secs(20);
            }),
            ("default_lifetime", |it| it.default_lifetime = secs(86_401)),
            ("refresh_margin", |it| {
                it.refresh_margin = Margin::Fraction(0.51);
            }),
            ("refresh_margin", |it| {
                it.refresh_margin = Margin::Fixed(secs(43_201));
            }),
            ("jitter", |it| it.jitter = f64::NAN),
            ("suspicion", |it| it.suspicion.first = secs(121)),
        ];
        for (field, change) in broken {
            let mut policy = Policy::default();
            change(&mut policy);
            let error = policy.check().unwrap_err();
            assert_eq!(error.field(), field);
            // It repeats what was given.
            let given = error.to_string().contains(&format!("invalid `{field}` "));
            assert!(given, "{error}");
        }
        assert_eq!(Policy::default().check(), Ok(()));
    }

    #[test]
    fn what_a_server_may_ask_for_is_at_most_a_day() {
        let with = |max_retry_after| Policy {
            max_retry_after,
            ..Policy::default()
        };
        assert!(with(Duration::from_secs(86_400)).check().is_ok());
        for broken in [Duration::from_secs(86_401), Duration::from_secs(1)] {
            let error = with(broken).check().unwrap_err();
            assert_eq!(error.field(), "max_retry_after");
        }
    }
}
