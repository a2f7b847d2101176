//! The promises of the design, each as a check of what a run saw.

mod callers;
mod ending;
mod fetches;
mod restraint;
mod tokens;

use crate::story::Story;

/// Nothing, or how it was broken.
type Kept = Result<(), String>;

type Promise = (&'static str, fn(&Story<'_>) -> Kept);

const PROMISES: [&[Promise]; 5] = [
    tokens::PROMISES,
    fetches::PROMISES,
    restraint::PROMISES,
    callers::PROMISES,
    ending::PROMISES,
];

/// The promises that a run broke, in words.
pub(crate) fn broken(story: &Story<'_>) -> Vec<String> {
    let promises = PROMISES.into_iter().flatten();
    promises
        .filter_map(|(words, check)| {
            let how = check(story).err()?;
            Some(format!("{words}: {how}"))
        })
        .collect()
}

/// How many promises there are.
pub(crate) fn count() -> usize {
    PROMISES.iter().map(|it| it.len()).sum()
}

/// Fails with these words unless it holds.
fn ensure(holds: bool, how: impl FnOnce() -> String) -> Kept {
    match holds {
        true => Ok(()),
        false => Err(how()),
    }
}
