//! Shards: one copy of a shared value per group of threads, so that threads do not wait for each other to count
//! references.
//!
//! When several threads change one reference count, each change takes 70 to 90 ns, because its cache line moves between
//! cores. A count that one thread uses takes 16 ns. A shard takes memory, so it is made when a thread first needs it.

use std::{
    cell::Cell,
    ops::Deref,
    sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

/// The highest number of shards. Even an unused shard takes some memory.
const MOST_SHARDS: usize = 8;

/// One value per shard, made when a thread of that shard first needs it.
#[derive(Debug)]
pub(crate) struct Shards<T>([OnceLock<T>; MOST_SHARDS]);

impl<T> Shards<T> {
    /// The value of this thread's shard. Once it is made, this takes no lock.
    #[inline]
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        let made = self.0.get(SHARD.get()).and_then(OnceLock::get);
        made.unwrap_or_else(|| self.make(make))
    }

    /// The values that are made.
    #[cfg(feature = "pool")]
    pub(crate) fn made(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(OnceLock::get)
    }

    #[cold]
    fn make(&self, make: impl FnOnce() -> T) -> &T {
        self.0[assign_shard()].get_or_init(make)
    }
}

impl<T> Default for Shards<T> {
    /// No shard is made yet.
    fn default() -> Self {
        // Counts the cores now, not at the first request: a thread that is pinned to one core sees only that one.
        LazyLock::force(&THREADS);
        Self([const { OnceLock::new() }; MOST_SHARDS])
    }
}

thread_local! {
    /// This thread's shard, or a number past the last one until it is assigned. Separate from `ASSIGNMENT`, because
    /// reading a thread-local with a destructor needs a check each time.
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    static ASSIGNMENT: Assignment<'static> = Assignment::new(&THREADS);
}

fn assign_shard() -> usize {
    // The assignment is already dropped if the destructor of another thread-local sends a request. Any shard works
    // then.
    let shard = ASSIGNMENT.try_with(|it| it.shard).unwrap_or(0);
    SHARD.set(shard);
    shard
}

static THREADS: LazyLock<ThreadCounts> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    ThreadCounts::new(cores)
});

/// How many living threads each shard has. There is a shard for each core: no more threads run at once.
struct ThreadCounts(Mutex<Vec<usize>>);

impl ThreadCounts {
    fn new(cores: usize) -> Self {
        Self(Mutex::new(vec![0; cores.min(MOST_SHARDS)]))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's shard, given back when the thread ends.
struct Assignment<'a> {
    threads: &'a ThreadCounts,
    shard: usize,
}

impl<'a> Assignment<'a> {
    /// Picks the shard with the fewest threads, so that two threads share one only if there are more threads than
    /// shards.
    fn new(threads: &'a ThreadCounts) -> Self {
        let mut counts = threads.lock();
        let fewest = (0..counts.len()).min_by_key(|shard| counts[*shard]);
        let shard = fewest.unwrap_or(0);
        counts[shard] += 1;
        drop(counts);
        Self { threads, shard }
    }
}

impl Drop for Assignment<'_> {
    fn drop(&mut self) {
        self.threads.lock()[self.shard] -= 1;
    }
}

/// A value on separate cache lines. The count of an `Arc` around it lies before it, and so gets a separate line too.
/// (128: x86-64 fetches cache lines in pairs.)
#[derive(Debug)]
#[repr(align(128))]
pub struct CachePadded<T>(pub(crate) T);

impl<T> Deref for CachePadded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for CachePadded<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, sync::mpsc};

    use super::*;

    #[test]
    fn the_second_threads_shard_differs() {
        let threads = ThreadCounts::new(2);
        let here = Assignment::new(&threads);
        let there = thread::scope(|scope| {
            let second = scope.spawn(|| Assignment::new(&threads));
            second.join().unwrap()
        });
        assert_ne!(here.shard, there.shard);
        assert_eq!(*threads.lock(), [1, 1]);
    }

    #[test]
    fn a_shard_is_free_again_when_its_thread_ends() {
        let threads = ThreadCounts::new(3);
        let [first, second, _third] = [0, 1, 2].map(|_| Assignment::new(&threads));
        drop(second);
        // Without reuse, a fourth thread would get the shard of the first.
        let fourth = Assignment::new(&threads);
        assert_eq!((first.shard, fourth.shard), (0, 1));
        assert_eq!(*threads.lock(), [1, 1, 1]);
    }

    #[test]
    fn there_are_no_more_shards_than_cores() {
        for (cores, shards) in [(1, 1), (2, 2), (8, 8), (64, MOST_SHARDS)] {
            assert_eq!(ThreadCounts::new(cores).lock().len(), shards, "{cores}");
        }
    }

    #[test]
    fn a_threads_value_is_made_once() {
        let shards = Shards::default();
        let values = [1, 2].map(|value| *shards.get_or_make(|| value));
        assert_eq!(values, [1, 1]);
    }

    /// Gets a value while the thread's locals, among them its assignment, are dropped.
    struct Late(mpsc::Sender<u8>);

    impl Drop for Late {
        fn drop(&mut self) {
            let value = *Shards::default().get_or_make(|| 7);
            self.0.send(value).unwrap();
        }
    }

    #[test]
    fn a_thread_that_ends_still_gets_a_value() {
        thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(|| {
            // Locals are dropped in the reverse of this order.
            LATE.set(Some(Late(sender)));
            Shards::default().get_or_make(|| ());
        });
        thread.join().unwrap();
        assert_eq!(receiver.recv(), Ok(7));
    }
}
