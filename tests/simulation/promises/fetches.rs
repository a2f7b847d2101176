//! What the token endpoint can count on.

use tower_oauth::{FailureClass, Policy};

use super::{Kept, Promise, ensure};
use crate::{
    back_off::back_offs,
    record::{Attempt, End, Nanos},
    story::{Fetch, Story},
    world::nanos,
};

pub(super) const PROMISES: &[Promise] = &[
    ("never two fetches at once", one_at_a_time),
    (
        "two fetches start at least the minimal interval apart",
        fetches_are_apart,
    ),
    ("the fetches of any minute are bounded", a_minute_is_bounded),
    (
        "a fetch makes another attempt only after a transient failure or an expired token, as often as allowed, and not before the requested wait",
        attempts_are_allowed,
    ),
    (
        "after a failure no fetch starts before the back-off and the Retry-After have passed",
        back_off_is_kept,
    ),
    (
        "only its bounds and the source's end cut a fetch short",
        fetches_outlive_callers,
    ),
    ("after the source's end no fetch starts", none_after_the_end),
];

fn one_at_a_time(story: &Story<'_>) -> Kept {
    let most = story.record.most_under_way;
    ensure(most <= 1, || format!("{most} at once"))
}

fn fetches_are_apart(story: &Story<'_>) -> Kept {
    let least = nanos(story.scenario.policy.back_off.min_fetch_interval);
    for pair in story.fetches.windows(2) {
        let (one, next) = (pair[0].start(), pair[1].start());
        ensure(next.mono - one.mono >= least, || {
            format!("{one:?} and {next:?}")
        })?;
    }
    Ok(())
}

fn a_minute_is_bounded(story: &Story<'_>) -> Kept {
    let policy = &story.scenario.policy;
    let minute = 60_000_000_000;
    let fetches = minute / nanos(policy.back_off.min_fetch_interval) + 1;
    let most = usize::try_from(fetches).unwrap() * most_attempts(policy);
    let attempts = &story.record.attempts;
    for (number, first) in attempts.iter().enumerate() {
        let later = attempts.get(number + most);
        let bounded = later.is_none_or(|it| it.at.mono - first.at.mono >= minute);
        ensure(bounded, || format!("more than {most} after {:?}", first.at))?;
    }
    Ok(())
}

fn attempts_are_allowed(story: &Story<'_>) -> Kept {
    let policy = &story.scenario.policy;
    for fetch in &story.fetches {
        let number = fetch.attempts.len();
        ensure(number <= most_attempts(policy), || {
            format!("{number} attempts from {:?}", fetch.start())
        })?;
        for (one, next) in fetch.attempts.iter().zip(&fetch.attempts[1..]) {
            ensure(may_follow(policy, one, next), || {
                format!("{next:?} after {one:?}")
            })?;
        }
    }
    Ok(())
}

/// Three more where the endpoint hands out tokens without life, and at least one more where a token died on the way.
fn most_attempts(policy: &Policy) -> usize {
    policy.retry.attempts.max(2) as usize + 3
}

fn may_follow(policy: &Policy, one: &Attempt, next: &Attempt) -> bool {
    let in_order = next.number == one.number + 1;
    let allowed = match one.end {
        Some((_, End::Cut)) => true,
        Some((at, End::Failed { class, retry_after })) => {
            let wait = retry_after.unwrap_or_default();
            class == FailureClass::Transient
                && wait <= nanos(policy.retry.max_retry_after_in_fetch)
                && next.at.mono >= at.mono + wait
        }
        // One without life: the story would hold another, and the source would not.
        Some((_, End::Token(_))) => true,
        None => false,
    };
    in_order && allowed
}

fn back_off_is_kept(story: &Story<'_>) -> Kept {
    for back_off in back_offs(story) {
        let from = back_off.from.order;
        let later = story.fetches.partition_point(|it| it.start().order <= from);
        let next = story.fetches.get(later).map(Fetch::start);
        let kept = next.is_none_or(|it| {
            it.mono >= back_off.from.mono + back_off.least || back_off.was_ended(story, it)
        });
        ensure(kept, || format!("{back_off:?}, next at {next:?}"))?;
    }
    Ok(())
}

fn fetches_outlive_callers(story: &Story<'_>) -> Kept {
    let cuts = story.fetches.iter().flat_map(|fetch| {
        let cut = |it: &&Attempt| matches!(it.end, Some((_, End::Cut)));
        fetch.attempts.iter().filter(cut).map(move |it| (fetch, it))
    });
    for (fetch, attempt) in cuts {
        let Some((at, _)) = attempt.end else { continue };
        let ended = story.record.ended.is_some_and(|it| at.order > it.order);
        ensure(ended || at.mono == bound(story, fetch, attempt), || {
            format!("{attempt:?}")
        })?;
    }
    Ok(())
}

/// When an attempt is cut at the latest.
fn bound(story: &Story<'_>, fetch: &Fetch<'_>, attempt: &Attempt) -> Nanos {
    let policy = &story.scenario.policy;
    let of_fetch = fetch.start().mono + nanos(policy.timeouts.fetch);
    of_fetch.min(attempt.at.mono + nanos(policy.timeouts.attempt))
}

fn none_after_the_end(story: &Story<'_>) -> Kept {
    let Some(end) = story.record.ended else {
        return Ok(());
    };
    for attempt in &story.record.attempts {
        ensure(attempt.at.order < end.order, || {
            format!("{attempt:?} after {end:?}")
        })?;
    }
    Ok(())
}
