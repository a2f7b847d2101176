//! The back-offs of a run, as the design has them.

use tower_oauth::{BackOff, FailureClass, Policy};

use crate::{
    record::{At, Nanos},
    story::{Fetch, FetchEnd, Story},
    world::nanos,
};

/// A wait after a failed fetch, which chance may move between its ends.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) from: At,
    pub(crate) least: Nanos,
    pub(crate) most: Nanos,
}

/// One for each fetch that failed, in order.
pub(crate) fn back_offs(story: &Story<'_>) -> Vec<Wait> {
    let policy = &story.scenario.policy;
    let (mut failures, mut before) = (0, None);
    let mut waits = Vec::new();
    for fetch in &story.fetches {
        let Some((at, end)) = fetch.end else { continue };
        if was_ended(story, before, at) {
            failures = 0;
        }
        before = Some(at);
        let FetchEnd::Failed { class, retry_after } = end else {
            failures = 0;
            continue;
        };
        failures += 1;
        let own = nominal(policy, class, failures);
        let asked = retry_after
            .unwrap_or_default()
            .min(nanos(policy.retry.max_retry_after));
        waits.push(Wait {
            from: at,
            least: (own / 4 * 3).max(asked),
            most: (own / 4 * 5).max(asked / 10 * 11)
                + waited_in_vain(policy, fetch, at, end)
                + 1000,
        });
    }
    waits
}

/// How long a fetch may have gone on after its last attempt: its bound can pass while it waits to make another.
fn waited_in_vain(policy: &Policy, fetch: &Fetch<'_>, at: At, end: FetchEnd) -> Nanos {
    let left = fetch.start().mono + nanos(policy.timeouts.fetch) - at.mono;
    match left <= longest_pause(policy, fetch, end) {
        true => left.max(0),
        false => 0,
    }
}

/// The longest wait before another attempt of the fetch; zero if this was its last.
fn longest_pause(policy: &Policy, fetch: &Fetch<'_>, end: FetchEnd) -> Nanos {
    let made = u32::try_from(fetch.attempts.len()).unwrap();
    let asked_at_most = nanos(policy.retry.max_retry_after_in_fetch);
    match end {
        _ if made >= policy.retry.attempts => 0,
        FetchEnd::Failed {
            class: FailureClass::Transient,
            retry_after: None,
        } => nanos(policy.retry.first_wait.saturating_mul(1 << (made - 1))),
        FetchEnd::Failed {
            class: FailureClass::Transient,
            retry_after: Some(asked),
        } if asked <= asked_at_most => asked / 10 * 11,
        _ => 0,
    }
}

impl Wait {
    /// Whether an operator ended it before that.
    pub(crate) fn was_ended(&self, story: &Story<'_>, before: At) -> bool {
        was_ended(story, Some(self.from), before)
    }
}

fn was_ended(story: &Story<'_>, from: Option<At>, to: At) -> bool {
    let from = from.map_or(0, |it| it.order);
    let mut moments = story.record.retried_now.iter();
    moments.any(|it| (from..to.order).contains(&it.order))
}

fn nominal(policy: &Policy, class: FailureClass, failures: u32) -> Nanos {
    let BackOff { first, max, .. } = match class {
        FailureClass::Transient => policy.back_off.transient,
        FailureClass::Permanent => policy.back_off.permanent,
        _ => policy.back_off.unclear,
    };
    nanos(first.saturating_mul(1 << (failures - 1).min(20)).min(max))
}
