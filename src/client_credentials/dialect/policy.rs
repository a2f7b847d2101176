//! The numbers that a dialect sets.

use std::time::Duration;

use super::Dialect;
use crate::{BackOff, policy::Policy};

/// The defaults, with what the dialect sets.
pub(in crate::client_credentials) fn policy_of(dialect: &Dialect) -> Policy {
    let mut policy = Policy::default();
    policy.refresh.single_active = dialect.single_active;
    set(&mut policy.refresh.margin, dialect.refresh_margin);
    set(&mut policy.lifetime.default, dialect.default_lifetime);
    set(&mut policy.lifetime.max, dialect.max_lifetime);
    // A wait that the dialect names is honoured in full.
    let longest = &mut policy.retry.max_retry_after;
    let blocked = dialect.blocked.as_ref().map(|it| it.wait);
    *longest = (*longest).max(dialect.wait_after_429.max(blocked).unwrap_or_default());
    if let Some(interval) = dialect.min_fetch_interval {
        space(&mut policy, interval);
    }
    policy
}

/// Keeps an interval between any two token requests: one attempt a fetch, and no back-off that is shorter.
fn space(policy: &mut Policy, interval: Duration) {
    let back_off = &mut policy.back_off;
    back_off.min_fetch_interval = back_off.min_fetch_interval.max(interval);
    for pause in [
        &mut back_off.transient,
        &mut back_off.unclear,
        &mut back_off.permanent,
    ] {
        *pause = BackOff::new(pause.first.max(interval), pause.max.max(interval));
    }
    policy.retry.attempts = 1;
    // A request waits until the interval is over, and for the fetch.
    policy.timeouts.acquire += interval;
}

fn set<T>(number: &mut T, stated: Option<T>) {
    if let Some(stated) = stated {
        *number = stated;
    }
}
