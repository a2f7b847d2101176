//! Which tokens go out.

use std::collections::HashMap;

use super::{Kept, Promise, ensure};
use crate::{record::Outcome, story::Story};

pub(super) const PROMISES: &[Promise] = &[
    (
        "a token is never used at or after its use_until, by either clock",
        never_past_use_until,
    ),
    (
        "a token that has expired at the bank is never used, unless the wall clock was set back",
        never_truly_expired,
    ),
    (
        "each generation has one token, and each token one generation",
        one_token_each,
    ),
];

fn never_past_use_until(story: &Story<'_>) -> Kept {
    for (at, serial) in story.uses() {
        let held = story
            .held(at)
            .ok_or(format!("token {serial} from nowhere"))?;
        ensure(held.grant.serial == serial, || {
            format!("token {serial} at {at:?} in place of {held:?}")
        })?;
        ensure(!held.until.is_reached(at), || {
            format!("{held:?} used at {at:?}")
        })?;
    }
    Ok(())
}

fn never_truly_expired(story: &Story<'_>) -> Kept {
    for (at, serial) in story.uses() {
        let Some(held) = story.held(at).filter(|it| it.grant.serial == serial) else {
            continue;
        };
        let anchor = held.anchor;
        let set_back = at.wall - anchor.wall < at.truth - anchor.truth;
        ensure(set_back || at.truth < held.grant.true_until, || {
            format!("{held:?} used at {at:?}")
        })?;
    }
    Ok(())
}

fn one_token_each(story: &Story<'_>) -> Kept {
    let mut named = HashMap::new();
    let mut tokens = HashMap::new();
    for (caller, _, outcome) in story.answered() {
        let (serial, generation) = match outcome {
            Outcome::Token { serial, generation } => (serial, generation),
            Outcome::Response {
                generation: Some(generation),
                ..
            } => (caller.arrivals.last().map_or(0, |it| it.serial), generation),
            _ => continue,
        };
        let same = *named.entry(generation).or_insert(serial) == serial
            && *tokens.entry(serial).or_insert(generation) == generation;
        ensure(same, || {
            format!("token {serial} was called generation {generation}")
        })?;
    }
    Ok(())
}
