//! What a request with a fresh token costs, as ratios within one run.
//!
//! ```sh
//! cargo bench --bench hot_path
//! ```
//!
//! Cases are interleaved in rounds; each ratio is the median over the rounds of a case's time to the floor's time in
//! the same round. The floor is tower-http's `SetRequestHeaderLayer` with a refcounted value: what inserting any header
//! costs. Every case builds the same request, which holds four headers.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock itself"
)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Instant, SystemTime},
};

use arc_swap::ArcSwap;
use http::{HeaderValue, StatusCode};

mod cases;
#[path = "cases/threads.rs"]
mod threads;

use cases::{Case, Step};
use threads::median;

const ROUNDS: usize = 51;
const CALLS: u32 = 20_000;

fn main() {
    // Only `cargo bench` says `--bench`; without it one round shows that every case works.
    let rounds = match std::env::args().any(|it| it == "--bench") {
        true => ROUNDS,
        false => 1,
    };
    for group in cases::groups() {
        println!("\n{}", group.title);
        println!("{:<46} {:>18} {:>18}", "", "1 thread", "2 threads");
        let columns = [1, 2].map(|threads| measure(&group.cases, threads, rounds));
        for (number, case) in group.cases.iter().enumerate() {
            let [one, two] = columns.each_ref().map(|column| &column[number]);
            println!("{:<46} {one:>18} {two:>18}", case.name);
        }
    }
    println!(
        "\n{:<46} {:>18} {:>18}",
        "what it is made of", "1 thread", "2 threads"
    );
    for part in parts() {
        let [one, two] = [1, 2].map(|threads| {
            let rounds = (0..rounds).map(|_| batch(&part, threads));
            format!("{:.1} ns", median(rounds))
        });
        println!("{:<46} {one:>18} {two:>18}", part.name);
    }
}

/// Each case's line in a column: its ratio to the group's first case, and its nanoseconds.
fn measure(cases: &[Case], threads: usize, rounds: usize) -> Vec<String> {
    let mut times = vec![Vec::new(); cases.len()];
    for round in 0..=rounds {
        for (case, times) in cases.iter().zip(&mut times) {
            let nanos = batch(case, threads);
            // The first round warms up.
            if round > 0 {
                times.push(nanos);
            }
        }
    }
    let floor = times[0].clone();
    times.iter().map(|times| column(times, &floor)).collect()
}

fn column(times: &[f64], floor: &[f64]) -> String {
    let ratios = times.iter().zip(floor).map(|(time, floor)| time / floor);
    format!(
        "{:.2} ({:.0} ns)",
        median(ratios),
        median(times.iter().copied())
    )
}

/// Nanoseconds per call of one batch on so many threads at once.
fn batch(case: &Case, threads: usize) -> f64 {
    let steps = (0..threads).map(|_| {
        let mut step = (case.thread)();
        move || {
            black_box(step());
        }
    });
    threads::nanos_per_call(steps.collect(), CALLS)
}

/// What the layer's own cost is made of, each alone: the profile behind the ratios.
fn parts() -> Vec<Case> {
    let shared = value();
    let hold = Arc::new(());
    let cell = Arc::new(ArcSwap::from_pointee(0_u64));
    vec![
        part("a header value's count, shared by the threads", move || {
            let shared = shared.clone();
            move || drop(black_box(shared.clone()))
        }),
        part("the same, a copy of the value for each thread", || {
            let own = value();
            move || drop(black_box(own.clone()))
        }),
        part("a hold on the source, shared by the threads", move || {
            let hold = hold.clone();
            move || drop(black_box(hold.clone()))
        }),
        part("the same, a hold for each thread", || {
            let own = Arc::new(());
            move || drop(black_box(own.clone()))
        }),
        part("a read of the cell (an ArcSwap guard)", move || {
            let cell = cell.clone();
            move || drop(black_box(cell.load()))
        }),
        part("both clocks", || {
            || {
                black_box((Instant::now(), SystemTime::now()));
            }
        }),
        #[cfg(target_os = "linux")]
        part("both clocks, coarse", || {
            use rustix::time::{ClockId, clock_gettime};
            || {
                black_box(clock_gettime(ClockId::MonotonicCoarse));
                black_box(clock_gettime(ClockId::RealtimeCoarse));
            }
        }),
    ]
}

fn part<F>(name: &'static str, thread: impl Fn() -> F + 'static) -> Case
where
    F: FnMut() + Send + 'static,
{
    let thread = move || -> Step {
        let mut part = thread();
        Box::new(move || {
            part();
            StatusCode::OK
        })
    };
    Case {
        name,
        thread: Box::new(thread),
    }
}

/// A header's value as long as a token, counted by reference.
fn value() -> HeaderValue {
    HeaderValue::try_from("t".repeat(1200)).expect("a header value")
}
