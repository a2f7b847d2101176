//! Random lives of a source on a paused clock, each made from a seed, checked against the promises of the design.
//!
//! ```sh
//! cargo test --test simulation                                  # a few hundred seeds
//! .ci/simulate 5000                                             # thousands
//! SEED=123 cargo test --test simulation one_seed -- --nocapture # one again, in detail
//! ```

mod api;
mod back_off;
mod bank;
mod callers;
mod endpoint;
mod promises;
mod record;
mod run;
mod scenario;
mod shared;
mod story;
mod totals;
mod world;

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    panic::catch_unwind,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use record::Record;
use scenario::Scenario;
use story::Story;
use totals::Totals;

/// The default number of seeds.
const SEEDS: u64 = 300;

/// How long a seed may take in real time, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn every_promise_is_kept_for_every_seed() {
    let seeds = from_environment("SEEDS").unwrap_or(SEEDS);
    let next = Arc::new(AtomicU64::new(0));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (sender, reports) = mpsc::channel();
    for worker in 0..threads {
        let (next, sender) = (next.clone(), sender.clone());
        thread::spawn(move || run_all(worker, &next, seeds, &sender));
    }
    drop(sender);
    println!(
        "\n{}{:>12} promises checked on each",
        listen(&reports, threads),
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
    if let Err(broken) = check(seed.unwrap_or_default(), &record) {
        panic!("{broken}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let hashes = || (0..30).map(|seed| hash(&run::run(Scenario::of(seed))));
    let first: Vec<_> = hashes().collect();
    assert!(first.iter().copied().eq(hashes()));
    assert!(first.windows(2).all(|it| it[0] != it[1]));
}

/// The report of a worker: the seed that it begins, and the result of the one before.
struct News {
    worker: usize,
    seed: u64,
    before: Result<Totals, String>,
}

fn run_all(worker: usize, next: &AtomicU64, seeds: u64, sender: &mpsc::Sender<News>) {
    let mut before = Ok(Totals::default());
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let over = seed >= seeds || before.is_err();
        let news = News {
            worker,
            seed,
            before,
        };
        if sender.send(news).is_err() || over {
            return;
        }
        let run = catch_unwind(|| run::run(Scenario::of(seed)));
        before = match run {
            Ok(record) => check(seed, &record).map(|()| Totals::of(&record)),
            Err(_) => Err(with_command(seed, "it panicked")),
        };
    }
}

/// Adds up the reports of the workers, and fails with the first that is wrong. A worker without reports hangs: one seed
/// takes milliseconds, and a thread that spins cannot be stopped.
fn listen(reports: &mpsc::Receiver<News>, threads: usize) -> Totals {
    let mut sum = Totals::default();
    let mut at = vec![0; threads];
    loop {
        match reports.recv_timeout(PATIENCE) {
            Ok(news) => {
                sum += news.before.unwrap_or_else(|error| panic!("{error}"));
                at[news.worker] = news.seed;
            }
            Err(RecvTimeoutError::Disconnected) => return sum,
            // The others have finished; the lowest seed is the one that has not.
            Err(RecvTimeoutError::Timeout) => {
                let seed = at.into_iter().min().unwrap_or_default();
                panic!("{}", with_command(seed, "it hangs"));
            }
        }
    }
}

fn check(seed: u64, record: &Record) -> Result<(), String> {
    let scenario = Scenario::of(seed);
    let broken = promises::broken(&Story::of(&scenario, record));
    match broken.is_empty() {
        true => Ok(()),
        false => Err(with_command(seed, &broken.join("\n"))),
    }
}

fn with_command(seed: u64, what: &str) -> String {
    format!(
        "seed {seed}: {what}\nto repeat it:\nSEED={seed} cargo test --test simulation one_seed -- --nocapture\n"
    )
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
