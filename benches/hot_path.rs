//! What a request with a fresh token costs, as ratios within one run.
//!
//! ```sh
//! cargo bench --bench hot_path
//! ```
//!
//! Cases are interleaved in rounds; each ratio is the median over the rounds of a case's time to the floor's time in the
//! same round. The floor is tower-http's `SetRequestHeaderLayer` with a refcounted value: what inserting any header
//! costs. Every case builds the same request, which holds four headers.

#![allow(
    clippy::disallowed_types,
    reason = "a benchmark reads the clock itself"
)]

use std::{hint::black_box, sync::Barrier, thread, time::Instant};

mod cases;

use cases::{Case, Step};

const ROUNDS: usize = 101;
const CALLS: u32 = 4_000;

fn main() {
    // `cargo test --benches` passes `--test`: one short round shows that every case works.
    let rounds = if std::env::args().any(|it| it == "--test") {
        1
    } else {
        ROUNDS
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
        median(ratios.collect()),
        median(times.to_vec())
    )
}

/// Nanoseconds per call of one batch on so many threads at once.
fn batch(case: &Case, threads: usize) -> f64 {
    let steps: Vec<Step> = (0..threads).map(|_| (case.thread)()).collect();
    let start = Barrier::new(threads);
    let slowest = thread::scope(|scope| {
        let running: Vec<_> = steps
            .into_iter()
            .map(|step| scope.spawn(|| timed(step, &start)))
            .collect();
        running
            .into_iter()
            .map(|it| it.join().expect("a case panicked"))
            .fold(0.0, f64::max)
    });
    slowest / f64::from(CALLS)
}

fn timed(mut step: Step, start: &Barrier) -> f64 {
    for _ in 0..CALLS / 10 {
        black_box(step());
    }
    start.wait();
    let started = Instant::now();
    for _ in 0..CALLS {
        black_box(step());
    }
    started.elapsed().as_nanos() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
