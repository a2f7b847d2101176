//! How it all ends.

use super::{Kept, Promise, ensure};
use crate::{story::Story, world::nanos};

pub(super) const PROMISES: &[Promise] = &[
    (
        "after the last fault the source recovers within the longest back-off",
        recovers,
    ),
    (
        "after the last fault a rejected token is replaced and requests succeed",
        heals,
    ),
    (
        "at the end no task, permit or fetch is left",
        nothing_left_over,
    ),
];

fn recovers(story: &Story<'_>) -> Kept {
    let Some(calm) = &story.record.calm else {
        return Ok(());
    };
    let bound = calm.at.mono + nanos(story.scenario.longest_recovery());
    let first = calm.first_token.map(|it| it.mono);
    ensure(first.is_some_and(|it| it <= bound), || {
        format!(
            "calm since {:?}, a token at {:?}",
            calm.at, calm.first_token
        )
    })
}

fn heals(story: &Story<'_>) -> Kept {
    let calm = story.record.calm.as_ref();
    let Some(since) = calm.and_then(|it| it.first_token) else {
        return Ok(());
    };
    // Without a burst a rejected token is kept until it expires, which was asked for.
    let never = story.scenario.policy.rejection.burst == 0;
    let success = calm.and_then(|it| it.first_success);
    ensure(never || success.is_some(), || {
        format!("a token since {since:?}, rejected")
    })
}

fn nothing_left_over(story: &Story<'_>) -> Kept {
    let left = &story.record.left_over;
    let nothing = left.tasks == 0 && left.permits == 0 && left.fetches == 0;
    ensure(nothing, || format!("{left:?}"))
}
