//! `call` against `banks` under random faults, for as long as `.ci/soak` says. Linux only: memory, threads and file
//! descriptors are read from `/proc`.
#![cfg(target_os = "linux")]

mod banks;
mod call;
mod process;
mod trend;
mod verdict;

use std::{env, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

use self::{banks::Banks, call::Call};

/// How long a token lives: short, so that tokens are refreshed all the time.
const LIFETIME: Duration = Duration::from_secs(8);

/// Requests per second at each bank. The four together leave most of one core idle, also unoptimized, so that what
/// is found does not depend on the machine's speed.
const RATE: u32 = 100;

/// Requests at once at each bank.
const CONCURRENCY: u32 = 16;

/// A request may take as long, above the 25 s for which it may wait for a token.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the machine may take on top.
const GRACE: Duration = Duration::from_secs(15);

#[tokio::test]
#[ignore = "takes minutes: run .ci/soak"]
async fn soak() {
    let duration = Duration::from_secs(number("SOAK_SECONDS", 120));
    let seed = number("SOAK_SEED", 1);
    println!(
        "{} s, seed {seed}: {RATE} requests per second at each bank, {CONCURRENCY} at once, tokens of {} s",
        duration.as_secs(),
        LIFETIME.as_secs(),
    );
    let banks = Banks::open(seed, LIFETIME);
    let mut calls: Vec<_> = banks
        .call_lines()
        .map(|line| Call::start(line, duration))
        .collect();
    attend(&mut calls, duration + TIMEOUT + GRACE).await;
    let reports = banks.close();
    assert_eq!(calls.len(), 4);
    assert_eq!(reports.len(), 4);
    let wrong: Vec<_> = calls
        .into_iter()
        .zip(reports)
        .flat_map(|(call, bank)| verdict::of(call.end(), &bank, duration))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Looks at the processes every second, until they have ended by themselves.
async fn attend(calls: &mut [Call], at_most: Duration) {
    let started = Instant::now();
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while calls.iter_mut().any(Call::is_running) {
        seconds.tick().await;
        let age = started.elapsed();
        assert!(age < at_most, "a process has not ended after {age:?}");
        for call in &mut *calls {
            call.look(age);
        }
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().expect("a whole number"),
        Err(_) => otherwise,
    }
}
