//! The harness: rounds of interleaved batches, each on threads that keep to cores of their own.

use crate::threads;

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
        let steps = (0..threads).map(|_| (self.0)());
        threads::nanos_per_call(steps.collect(), CALLS)
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
