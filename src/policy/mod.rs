//! The numbers of a token source, and the arithmetic on them.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use crate::error::FailureClass;

mod check;
mod groups;
mod margin;
#[cfg(test)]
pub(crate) mod properties;

pub use groups::{
    BackOff, BackOffPolicy, LifetimePolicy, RefreshPolicy, RejectionPolicy, RetryPolicy, Timeouts,
};
pub use margin::Margin;

/// The numbers of a [`TokenSource`](crate::TokenSource), in groups.
///
/// The defaults suit a bank: change one only for a reason. [`guide::guarantees`](crate::guide::guarantees) says what
/// follows from them. They are checked together when the source is built.
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
///     .policy(|policy| policy.timeouts.acquire = Duration::from_secs(10))
///     .build()
///     .unwrap_err();
/// assert_eq!(error.field(), "timeouts.acquire"); // shorter than `timeouts.fetch`
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// How long an attempt, a fetch and a request's wait may take.
    pub timeouts: Timeouts,
    /// The attempts of one fetch, and bounds on `Retry-After`.
    pub retry: RetryPolicy,
    /// The waits after failed fetches, and the least time between two fetches.
    pub back_off: BackOffPolicy,
    /// When a token is replaced ahead of its expiry.
    pub refresh: RefreshPolicy,
    /// Bounds on a token's lifetime.
    pub lifetime: LifetimePolicy,
    /// Limits on the fetches that rejections cause.
    pub rejection: RejectionPolicy,
}

/// Back-off is changed at random by up to this part in both directions, so that replicas do not retry together.
const BACK_OFF_SPREAD: f64 = 0.25;

/// A `Retry-After` is lengthened by up to this part, for the same reason, and never shortened.
const RETRY_AFTER_SPREAD: f64 = 0.1;

/// The largest part of a lifetime that the leeway may take.
const LARGEST_LEEWAY: f64 = 0.05;

/// The parts of one token's life, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) refresh_after: Duration,
    pub(crate) use_for: Duration,
    pub(crate) lifetime: Duration,
}

impl Policy {
    /// The defaults. All sources that change none of them share them.
    pub(crate) fn shared_default() -> Arc<Self> {
        static DEFAULT: LazyLock<Arc<Policy>> = LazyLock::new(Arc::default);
        Arc::clone(&DEFAULT)
    }

    /// Divides a lifetime. `draw` is the token's own random number, from 0 to 1.
    pub(crate) fn window(&self, lifetime: Duration, draw: f64) -> Window {
        let leeway = self.leeway(lifetime);
        let use_for = lifetime - leeway;
        let refresh_after = if self.refresh.single_active {
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
        self.lifetime.leeway.min(lifetime.mul_f64(LARGEST_LEEWAY))
    }

    /// Margin and jitter. Together they are at most half of the lifetime.
    fn refresh_ahead(&self, lifetime: Duration, draw: f64) -> Duration {
        let margin = match self.refresh.margin {
            Margin::Fixed(margin) => margin,
            Margin::Fraction(part) => lifetime.mul_f64(part).min(self.refresh.max_margin),
        };
        let jitter = lifetime.mul_f64(self.refresh.jitter * draw);
        margin.saturating_add(jitter).min(lifetime / 2)
    }

    /// The wait after attempt number `attempt` of a fetch: random, from zero to a bound that doubles.
    pub(crate) fn wait_between_attempts(&self, attempt: u32, draw: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.retry
            .first_wait
            .saturating_mul(1 << doublings)
            .mul_f64(draw)
    }

    /// The wait that a server asked for, capped, and lengthened a little.
    pub(crate) fn believed_retry_after(&self, asked: Duration, draw: f64) -> Duration {
        asked
            .min(self.retry.max_retry_after)
            .mul_f64(1.0 + RETRY_AFTER_SPREAD * draw)
    }

    /// The back-off after that many failed fetches in a row.
    pub(crate) fn back_off(&self, class: FailureClass, failures: u32, draw: f64) -> Duration {
        let back_off = match class {
            FailureClass::Transient => self.back_off.transient,
            FailureClass::Unclear => self.back_off.unclear,
            FailureClass::Permanent => self.back_off.permanent,
        };
        let spread = 1.0 - BACK_OFF_SPREAD + 2.0 * BACK_OFF_SPREAD * draw;
        back_off.after(failures).mul_f64(spread)
    }
}

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
            policy.refresh.margin = margin;
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
        let mut policy = Policy::default();
        policy.refresh.single_active = true;
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
            ("retry.attempts", |it| it.retry.attempts = 0),
            ("timeouts.attempt", |it| it.timeouts.attempt = secs(0)),
            ("timeouts.fetch", |it| it.timeouts.fetch = secs(7)),
            ("timeouts.acquire", |it| it.timeouts.acquire = secs(21)),
            ("rejection.suspended_wait", |it| {
                it.rejection.suspended_wait = secs(26)
            }),
            ("retry.max_retry_after_in_fetch", |it| {
                it.retry.max_retry_after_in_fetch = secs(20);
            }),
            ("lifetime.default", |it| it.lifetime.default = secs(86_401)),
            ("refresh.margin", |it| {
                it.refresh.margin = Margin::Fraction(0.51);
            }),
            ("refresh.margin", |it| {
                it.refresh.margin = Margin::Fixed(secs(43_201));
            }),
            ("refresh.jitter", |it| it.refresh.jitter = f64::NAN),
            ("rejection.suspicion", |it| {
                it.rejection.suspicion.first = secs(121)
            }),
        ];
        for (field, change) in broken {
            let mut policy = Policy::default();
            change(&mut policy);
            let error = policy.check().unwrap_err();
            assert_eq!(error.field(), field);
            // The error repeats the given value.
            let given = error.to_string().contains(&format!("invalid `{field}` "));
            assert!(given, "{error}");
        }
        assert_eq!(Policy::default().check(), Ok(()));
    }

    #[test]
    fn what_a_server_may_ask_for_is_at_most_a_day() {
        let with = |max_retry_after| {
            let mut policy = Policy::default();
            policy.retry.max_retry_after = max_retry_after;
            policy
        };
        assert!(with(Duration::from_secs(86_400)).check().is_ok());
        for broken in [Duration::from_secs(86_401), Duration::from_secs(1)] {
            let error = with(broken).check().unwrap_err();
            assert_eq!(error.field(), "retry.max_retry_after");
        }
    }
}
