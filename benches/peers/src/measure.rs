//! The harness: rounds of interleaved batches, each on threads that keep to cores of their own.

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

const ROUNDS: usize = 51;
const CALLS: u32 = 5_000;

/// One request on one thread.
pub(crate) type Step = Box<dyn FnMut() + Send>;

/// Makes what a thread calls.
pub(crate) struct Case(Box<dyn Fn() -> Step>);

impl Case {
    pub(crate) fn new<F: FnMut() + Send + 'static>(thread: impl Fn() -> F + 'static) -> Self {
        Self(Box::new(move || Box::new(thread())))
    }

    pub(crate) fn once(&self) {
        (self.0)()();
    }

    /// Of one request; the first few, which fill caches, are not counted.
    pub(crate) fn allocations(&self) -> u64 {
        let mut step = (self.0)();
        (0..3).for_each(|_| step());
        allocation_counter::measure(step).count_total
    }

    /// Nanoseconds per request, with so many threads at it.
    fn batch(&self, threads: usize) -> f64 {
        let steps: Vec<Step> = (0..threads).map(|_| (self.0)()).collect();
        let missing = AtomicUsize::new(threads);
        let slowest = thread::scope(|scope| {
            let running: Vec<_> = steps
                .into_iter()
                .enumerate()
                .map(|(core, step)| {
                    let missing = &missing;
                    scope.spawn(move || {
                        stay_on(core);
                        timed(step, missing)
                    })
                })
                .collect();
            running
                .into_iter()
                .map(|it| it.join().expect("a case panicked"))
                .fold(0.0, f64::max)
        });
        slowest / f64::from(CALLS)
    }
}

/// For each case its nanoseconds, one for each round.
pub(crate) fn rounds(cases: &[&Case], threads: usize) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::new(); cases.len()];
    for round in 0..=ROUNDS {
        for (case, times) in cases.iter().zip(&mut times) {
            let nanos = case.batch(threads);
            // The first round warms up.
            if round > 0 {
                times.push(nanos);
            }
        }
    }
    times
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn timed(mut step: Step, missing: &AtomicUsize) -> f64 {
    for _ in 0..CALLS / 10 {
        step();
    }
    // Spinning: threads that a kernel wakes start further apart than a batch is long.
    missing.fetch_sub(1, Ordering::AcqRel);
    while missing.load(Ordering::Acquire) > 0 {
        std::hint::spin_loop();
    }
    let started = Instant::now();
    for _ in 0..CALLS {
        black_box(&mut step)();
    }
    started.elapsed().as_nanos() as f64
}

/// Threads that share a core take turns, and then wait for no cache line.
#[cfg(target_os = "linux")]
fn stay_on(core: usize) {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let mut cores = CpuSet::new();
    cores.set(core);
    if let Err(error) = sched_setaffinity(None, &cores) {
        eprintln!("not kept on core {core}: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn stay_on(_: usize) {}
