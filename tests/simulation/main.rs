//! Random lives of a source on a paused clock, each made from a seed, checked against the promises of the design.
//!
//! ```sh
//! cargo test --test simulation                                  # a few hundred seeds
//! .ci/simulate 5000                                             # thousands
//! SEED=123 cargo test --test simulation one_seed -- --nocapture # one again, told at length
//! ```

mod api;
mod bank;
mod callers;
mod endpoint;
mod promises;
mod record;
mod run;
mod scenario;
mod story;
mod totals;
mod world;

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use record::Record;
use scenario::Scenario;
use story::Story;
use totals::Totals;

/// How many seeds are run when nobody says.
const SEEDS: u64 = 300;

#[test]
fn every_promise_is_kept_for_every_seed() {
    let seeds = from_environment("SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let totals = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| run_all(&next, seeds)))
            .collect();
        let mut sum = Totals::default();
        for worker in workers {
            match worker.join() {
                Ok(totals) => sum += totals,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        sum
    });
    println!(
        "\n{totals}{:>12} promises checked on each",
        promises::count()
    );
}

#[test]
fn one_seed() {
    let seed = from_environment("SEED");
    let scenario = Scenario::of(seed.unwrap_or_default());
    let record = run::run(scenario);
    if let Some(seed) = seed {
        println!("{:#?}\n{record:#?}", Scenario::of(seed));
    }
    check(seed.unwrap_or_default(), &record);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let hashes = || (0..30).map(|seed| hash(&run::run(Scenario::of(seed))));
    let first: Vec<_> = hashes().collect();
    assert!(first.iter().copied().eq(hashes()));
    assert!(first.windows(2).all(|it| it[0] != it[1]));
}

fn run_all(next: &AtomicU64, seeds: u64) -> Totals {
    let mut totals = Totals::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds {
            return totals;
        }
        let record = run::run(Scenario::of(seed));
        check(seed, &record);
        totals += Totals::of(&record);
    }
}

fn check(seed: u64, record: &Record) {
    let scenario = Scenario::of(seed);
    let broken = promises::broken(&Story::of(&scenario, record));
    assert!(
        broken.is_empty(),
        "seed {seed} broke a promise:\n{}\nto repeat it:\nSEED={seed} cargo test --test simulation one_seed -- --nocapture\n",
        broken.join("\n"),
    );
}

/// Of everything that was seen, and when.
fn hash(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{record:?}").hash(&mut hasher);
    hasher.finish()
}

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number")),
    )
}
