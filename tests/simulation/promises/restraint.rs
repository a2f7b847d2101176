//! Why fetches are made, and what rejections of the API may cost.

use tower_oauth::FetchCause;

use super::{Kept, Promise, ensure};
use crate::{
    record::{At, Nanos},
    story::{Fetch, Holding, Story},
    world::nanos,
};

pub(super) const PROMISES: &[Promise] = &[
    (
        "every fetch has a cause: no token, an expired one, one due for refresh, or a rejected one",
        every_fetch_has_its_reason,
    ),
    (
        "no request uses a definitely rejected token during its replacement, for suspended_wait, unless it is an \
          accepted replacement itself",
        rejected_tokens_rest,
    ),
    (
        "definite rejections are limited by the bucket",
        definite_rejections_draw,
    ),
    (
        "after an ambiguous rejection for which a new token did not help, the next fetch waits",
        ambiguous_rejections_wait,
    ),
];

fn every_fetch_has_its_reason(story: &Story<'_>) -> Kept {
    for fetch in &story.fetches {
        let cause = fetch.attempts[0].cause;
        ensure(has_reason(story, fetch, cause), || {
            format!(
                "{cause:?} at {:?}, holding {:?}",
                fetch.start(),
                story.held(fetch.start())
            )
        })?;
    }
    Ok(())
}

fn has_reason(story: &Story<'_>, fetch: &Fetch<'_>, cause: FetchCause) -> bool {
    let start = fetch.start();
    let Some(held) = story.held(start) else {
        return cause == FetchCause::Missing;
    };
    let serial = held.grant.serial;
    // It was due when the fetch was granted, which may have had to wait.
    let unsure = story.stepped_back(start, story.scenario.policy.back_off.min_fetch_interval);
    match cause {
        FetchCause::Expired => unsure || held.until.is_reached(start),
        FetchCause::Ahead => {
            unsure || held.refreshable.is_reached(start) || story.was_rejected(serial, start, true)
        }
        FetchCause::Rejected => story.was_rejected(serial, start, true),
        FetchCause::MaybeRejected => story.was_rejected(serial, start, false),
        _ => false,
    }
}

fn rejected_tokens_rest(story: &Story<'_>) -> Kept {
    let wait = nanos(story.scenario.policy.rejection.suspended_wait);
    for fetch in &story.fetches {
        let (start, cause) = (fetch.start(), fetch.attempts[0].cause);
        let (Some(held), Some((end, _))) = (story.held(start), fetch.end) else {
            continue;
        };
        let shut = story.record.ended.is_some_and(|it| it.order < end.order);
        // After a failure it is used, and so is a repeated one: there is no better token. So is the replacement of a
        // rejected token after it has been accepted.
        let usable = held.repeated
            || story.has_failed(held.from, start)
            || is_accepted_replacement(story, held, start);
        if cause != FetchCause::Rejected || shut || usable {
            continue;
        }
        let serial = held.grant.serial;
        let restored = story
            .first_rejected(serial)
            .map_or(start.mono, |it| it.mono + wait);
        let mut uses = story.uses().filter(|(_, used)| *used == serial);
        let used =
            uses.find(|(at, _)| (start.order..end.order).contains(&at.order) && at.mono < restored);
        ensure(used.is_none(), || format!("{held:?} used at {used:?}"))?;
    }
    Ok(())
}

/// Whether a token came from a fetch because of a definite rejection, and a request with it was answered well.
fn is_accepted_replacement(story: &Story<'_>, held: &Holding, before: At) -> bool {
    let brought = |fetch: &&Fetch<'_>| {
        let succeeded = fetch.succeeded_at();
        succeeded.is_some_and(|at| at.order == held.from.order)
    };
    let cause = story.fetches.iter().find(brought);
    let is_replacement = cause.is_some_and(|it| it.attempts[0].cause == FetchCause::Rejected);
    is_replacement && story.was_accepted(held.grant.serial, before)
}

fn definite_rejections_draw(story: &Story<'_>) -> Kept {
    let policy = &story.scenario.policy;
    let draws = draws(story);
    let slack = nanos(policy.back_off.min_fetch_interval);
    for (number, first) in draws.iter().enumerate() {
        for (further, last) in draws[number..].iter().enumerate() {
            let earned = (last.mono - first.mono + slack) / nanos(policy.rejection.refill) + 1;
            let most = i64::from(policy.rejection.burst) + earned;
            ensure(further < usize::try_from(most).unwrap(), || {
                format!("{} fetches from {first:?} to {last:?}", further + 1)
            })?;
        }
    }
    let none = policy.rejection.burst == 0;
    ensure(!none || draws.is_empty(), || {
        format!("{draws:?} without a burst")
    })
}

/// The fetches that drew from the bucket: those for a rejected token that were not given back, and whose token was not
/// on probation.
fn draws(story: &Story<'_>) -> Vec<At> {
    let rejected = story
        .fetches
        .iter()
        .filter(|it| it.attempts[0].cause == FetchCause::Rejected && it.succeeded_at().is_some());
    let starts = rejected.map(Fetch::start);
    starts
        .filter(|it| story.held(*it).is_some_and(|held| !held.repeated))
        .collect()
}

fn ambiguous_rejections_wait(story: &Story<'_>) -> Kept {
    let wait = nanos(story.scenario.policy.rejection.suspicion.first);
    let mut succeeded: Option<(FetchCause, Nanos)> = None;
    for fetch in &story.fetches {
        let cause = fetch.attempts[0].cause;
        if let Some((FetchCause::MaybeRejected, at)) = succeeded
            && cause == FetchCause::MaybeRejected
        {
            ensure(fetch.start().mono >= at + wait, || {
                format!(
                    "again at {:?}, the one before succeeded at {at}",
                    fetch.start()
                )
            })?;
        }
        if let Some(at) = fetch.succeeded_at() {
            succeeded = Some((cause, at.mono));
        }
    }
    Ok(())
}
