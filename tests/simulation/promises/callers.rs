//! What a request can count on.

use http::Method;

use super::{Kept, Promise, ensure};
use crate::{
    back_off::back_offs,
    record::{Arrival, At, Caller, Mode, Outcome, Wish},
    story::Story,
    world::nanos,
};

pub(super) const PROMISES: &[Promise] = &[
    ("everyone is answered", no_caller_hangs),
    (
        "a waiting request ends within timeouts.acquire, and so does each step of a retry",
        answered_in_time,
    ),
    (
        "no request fails while there is a usable token or a fetch returns one",
        served_if_it_could_be,
    ),
    (
        "a request that finds a usable token does not wait",
        usable_means_at_once,
    ),
    (
        "a request waits for a suspended token's replacement at most suspended_wait",
        suspensions_end,
    ),
    (
        "a request is retried at most once, where that is allowed, and with a newer token",
        retried_once_with_a_newer,
    ),
    (
        "a request rejected with an old token is retried with the current one at once",
        late_rejections_are_cured_at_once,
    ),
    (
        "a request fails because of a back-off only during it, and retry_now ends it",
        back_offs_end,
    ),
    ("the caller gets the API's last answer", the_last_answer),
];

fn no_caller_hangs(story: &Story<'_>) -> Kept {
    for (caller, at, outcome) in story.answered() {
        ensure(!matches!(outcome, Outcome::Hung), || {
            format!("{caller:?} until {at:?}")
        })?;
    }
    Ok(())
}

fn answered_in_time(story: &Story<'_>) -> Kept {
    let bound = nanos(story.scenario.policy.timeouts.acquire);
    let roomy = story.scenario.is_roomy();
    let waiters = story.answered().filter(|(it, ..)| roomy || it.is_bare());
    for (caller, end, _) in waiters {
        let mut from = (caller.at.mono, bound);
        for arrival in &caller.arrivals {
            ensure(arrival.at.mono <= from.0 + from.1, || format!("{caller:?}"))?;
            let answered = arrival.answered.map_or(arrival.at, |(at, _)| at);
            // A rejected request waits for the fetch, and then as any other does.
            from = (answered.mono, 2 * bound);
        }
        let cut_short = caller
            .arrivals
            .last()
            .is_some_and(|it| it.answered.is_none());
        ensure(cut_short || end.mono <= from.0 + from.1, || {
            format!("{caller:?} until {end:?}")
        })?;
    }
    Ok(())
}

fn served_if_it_could_be(story: &Story<'_>) -> Kept {
    for (caller, end, outcome) in story.answered() {
        let Outcome::Rejected { kind } = outcome else {
            continue;
        };
        ensure(story.usable(end).is_none(), || {
            format!("{kind} at {end:?} while holding {:?}", story.held(end))
        })?;
        // With few permits it may have waited for one for longer than the token lasted.
        let succeeded = story
            .holdings
            .iter()
            .find(|it| (caller.at.order..end.order).contains(&it.from.order));
        let waited = story.scenario.is_roomy() || caller.is_bare();
        ensure(!waited || succeeded.is_none(), || {
            format!(
                "{kind} at {end:?}, since {:?}, though {succeeded:?} came",
                caller.at
            )
        })?;
    }
    Ok(())
}

fn usable_means_at_once(story: &Story<'_>) -> Kept {
    let roomy = story.scenario.is_roomy();
    for caller in story
        .record
        .callers
        .iter()
        .filter(|it| roomy || it.is_bare())
    {
        let Some(held) = story.usable(caller.at) else {
            continue;
        };
        if story.was_rejected(held.grant.serial, caller.at, true) {
            continue;
        }
        let served = caller.served_at().map(|it| it.mono);
        ensure(served == Some(caller.at.mono), || {
            format!("{caller:?} with {held:?}")
        })?;
    }
    Ok(())
}

fn suspensions_end(story: &Story<'_>) -> Kept {
    let roomy = story.scenario.is_roomy();
    // Timers go by milliseconds.
    let wait = nanos(story.scenario.policy.rejection.suspended_wait) + 1_000_000;
    let callers = story.record.callers.iter();
    for caller in callers.filter(|it| roomy || it.is_bare()) {
        let (Some(held), Some(served)) = (story.usable(caller.at), caller.served_at()) else {
            continue;
        };
        let in_time = served.mono <= caller.at.mono + wait;
        ensure(in_time || held.until.is_reached(served), || {
            format!("{caller:?} with {held:?}")
        })?;
    }
    Ok(())
}

fn retried_once_with_a_newer(story: &Story<'_>) -> Kept {
    for caller in &story.record.callers {
        let kept = match &caller.arrivals[..] {
            [] | [_] => true,
            [first, second] => caller.may_retry(story, first) && second.serial > first.serial,
            _ => false,
        };
        ensure(kept, || format!("{caller:?}"))?;
    }
    Ok(())
}

fn late_rejections_are_cured_at_once(story: &Story<'_>) -> Kept {
    if !story.scenario.is_roomy() {
        return Ok(());
    }
    for caller in &story.record.callers {
        let Some(first) = caller.arrivals.first() else {
            continue;
        };
        let Some((rejected, _)) = first.answered.filter(|_| caller.may_retry(story, first)) else {
            continue;
        };
        let Some(held) = story.usable(rejected) else {
            continue;
        };
        let serial = held.grant.serial;
        if serial == first.serial || story.was_rejected(serial, rejected, true) {
            continue;
        }
        let again = caller.arrivals.get(1).map(|it| it.at.mono);
        ensure(again == Some(rejected.mono), || {
            format!("{caller:?} with {held:?}")
        })?;
    }
    Ok(())
}

fn back_offs_end(story: &Story<'_>) -> Kept {
    let waits = back_offs(story);
    for (caller, end, outcome) in story.answered() {
        let Outcome::Rejected { kind } = outcome else {
            continue;
        };
        let closed = story.record.ended.is_some_and(|it| it.order < end.order);
        let before = waits.partition_point(|it| it.from.order < end.order);
        let wait = waits[..before].last();
        let lasts = wait.is_some_and(|it| {
            let over = caller.at.order > it.from.order && it.was_ended(story, caller.at);
            end.mono <= it.from.mono + it.most && !over
        });
        ensure(closed || lasts, || format!("{kind} at {end:?}, {wait:?}"))?;
    }
    Ok(())
}

fn the_last_answer(story: &Story<'_>) -> Kept {
    for (caller, _, outcome) in story.answered() {
        let last = caller.arrivals.last().and_then(|it| it.answered);
        let kept = match outcome {
            Outcome::Response { status, .. } => last.is_some_and(|(_, it)| it == status),
            Outcome::Rejected { .. } => last.is_none() || !story.scenario.is_roomy(),
            _ => true,
        };
        ensure(kept, || format!("{caller:?}"))?;
    }
    Ok(())
}

impl Caller {
    /// Wanted the token itself.
    fn is_bare(&self) -> bool {
        matches!(self.wish, Wish::Token)
    }

    /// When it got its token.
    fn served_at(&self) -> Option<At> {
        let given = || match self.end {
            Some((at, Outcome::Token { .. })) => Some(at),
            _ => None,
        };
        self.arrivals.first().map(|it| it.at).or_else(given)
    }

    fn may_retry(&self, story: &Story<'_>, first: &Arrival) -> bool {
        let (Wish::Request { method, mode }, Some((_, status))) = (&self.wish, first.answered)
        else {
            return false;
        };
        match status {
            401 => *mode != Mode::Plain,
            403 if !story.scenario.ambiguous => false,
            403 if *mode == Mode::RetryRejected => *method == Method::GET,
            403 => *mode == Mode::RetryAnyMethod,
            _ => false,
        }
    }
}
