//! Why fetches are made, and what refusals of the API may cost.

use tower_oauth::FetchCause;

use super::{Kept, Promise, ensure};
use crate::{
    record::{At, Nanos},
    story::{Flight, Story},
    world::nanos,
};

pub(super) const PROMISES: &[Promise] = &[
    (
        "every fetch has its reason: none held, expired, due for renewal, or refused and not another one",
        every_fetch_has_its_reason,
    ),
    (
        "while a definitely refused token is being replaced, none uses it, for as long as suspended_wait",
        refused_tokens_rest,
    ),
    (
        "definite refusals draw on the bucket",
        definite_refusals_draw,
    ),
    (
        "after an ambiguous refusal that a new token did not cure, the next fetch waits",
        ambiguous_refusals_wait,
    ),
];

fn every_fetch_has_its_reason(story: &Story<'_>) -> Kept {
    for flight in &story.flights {
        let cause = flight.attempts[0].cause;
        ensure(has_reason(story, flight, cause), || {
            format!(
                "{cause:?} at {:?}, holding {:?}",
                flight.start(),
                story.held(flight.start())
            )
        })?;
    }
    Ok(())
}

fn has_reason(story: &Story<'_>, flight: &Flight<'_>, cause: FetchCause) -> bool {
    let start = flight.start();
    let Some(held) = story.held(start) else {
        return cause == FetchCause::Missing;
    };
    let serial = held.grant.serial;
    // It was due when the flight was granted, which may have had to wait.
    let unsure = story.stepped_back(start, story.scenario.policy.min_flight_interval);
    match cause {
        FetchCause::Expired => unsure || held.until.is_reached(start),
        FetchCause::Ahead => {
            unsure || held.renewable.is_reached(start) || story.was_refused(serial, start, true)
        }
        FetchCause::Refused => story.was_refused(serial, start, true),
        FetchCause::MaybeRefused => story.was_refused(serial, start, false),
        _ => false,
    }
}

fn refused_tokens_rest(story: &Story<'_>) -> Kept {
    let wait = nanos(story.scenario.policy.suspended_wait);
    for flight in &story.flights {
        let (start, cause) = (flight.start(), flight.attempts[0].cause);
        let (Some(held), Some((end, _))) = (story.held(start), flight.end) else {
            continue;
        };
        let shut = story.record.ended.is_some_and(|it| it.order < end.order);
        // After a failure it serves, and a repeated one serves too: nothing better is to be had.
        let serves = held.repeated || story.has_failed(held.from, start);
        if cause != FetchCause::Refused || shut || serves {
            continue;
        }
        let serial = held.grant.serial;
        let restored = story
            .first_refused(serial)
            .map_or(start.mono, |it| it.mono + wait);
        let mut uses = story.uses().filter(|(_, used)| *used == serial);
        let used =
            uses.find(|(at, _)| (start.order..end.order).contains(&at.order) && at.mono < restored);
        ensure(used.is_none(), || format!("{held:?} used at {used:?}"))?;
    }
    Ok(())
}

fn definite_refusals_draw(story: &Story<'_>) -> Kept {
    let policy = &story.scenario.policy;
    let draws = draws(story);
    let slack = nanos(policy.min_flight_interval);
    for (number, first) in draws.iter().enumerate() {
        for (further, last) in draws[number..].iter().enumerate() {
            let earned = (last.mono - first.mono + slack) / nanos(policy.refusal_refill) + 1;
            let most = i64::from(policy.refusal_burst) + earned;
            ensure(further < usize::try_from(most).unwrap(), || {
                format!("{} fetches from {first:?} to {last:?}", further + 1)
            })?;
        }
    }
    let none = policy.refusal_burst == 0;
    ensure(!none || draws.is_empty(), || {
        format!("{draws:?} without a burst")
    })
}

/// The fetches that drew: those for a refused token that were not given back, and were not on trial already.
fn draws(story: &Story<'_>) -> Vec<At> {
    let refused = story
        .flights
        .iter()
        .filter(|it| it.attempts[0].cause == FetchCause::Refused && it.landed().is_some());
    let starts = refused.map(Flight::start);
    starts
        .filter(|it| story.held(*it).is_some_and(|held| !held.repeated))
        .collect()
}

fn ambiguous_refusals_wait(story: &Story<'_>) -> Kept {
    let wait = nanos(story.scenario.policy.suspicion.first);
    let mut landed: Option<(FetchCause, Nanos)> = None;
    for flight in &story.flights {
        let cause = flight.attempts[0].cause;
        if let Some((FetchCause::MaybeRefused, at)) = landed
            && cause == FetchCause::MaybeRefused
        {
            ensure(flight.start().mono >= at + wait, || {
                format!(
                    "again at {:?}, the one before landed at {at}",
                    flight.start()
                )
            })?;
        }
        if let Some(at) = flight.landed() {
            landed = Some((cause, at.mono));
        }
    }
    Ok(())
}
