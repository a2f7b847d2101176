//! Calls timed on threads that keep to cores of their own; shared with the comparison in `peers`.

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

/// The slowest thread's nanoseconds per call, with each step called this many times on its own thread.
pub(crate) fn nanos_per_call<F: FnMut() + Send>(steps: Vec<F>, calls: u32) -> f64 {
    let missing = AtomicUsize::new(steps.len());
    let slowest = thread::scope(|scope| {
        let running: Vec<_> = steps
            .into_iter()
            .enumerate()
            .map(|(core, step)| {
                let missing = &missing;
                scope.spawn(move || {
                    stay_on(core);
                    timed(step, calls, missing)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|it| it.join().expect("a case panicked"))
            .fold(0.0, f64::max)
    });
    slowest / f64::from(calls)
}

fn timed(mut step: impl FnMut(), calls: u32, missing: &AtomicUsize) -> f64 {
    for _ in 0..calls / 10 {
        step();
    }
    // Spinning: threads that a kernel wakes start further apart than a batch is long.
    missing.fetch_sub(1, Ordering::AcqRel);
    while missing.load(Ordering::Acquire) > 0 {
        std::hint::spin_loop();
    }
    let started = Instant::now();
    for _ in 0..calls {
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

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
