//! Replacements of the real primitives for the model checker. Each promises exactly what the original promises.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex as Hidden},
    task::{Context, Poll, Waker},
};

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(crate) use loom::sync::{
    Mutex as Lock, MutexGuard,
    atomic::{AtomicU8, AtomicU64},
};

/// For arc-swap's: an index into all values so far. Readers may see an old value for a while, as with the original.
#[derive(Debug)]
pub(crate) struct ArcSwapOption<T> {
    values: Hidden<Vec<Option<Arc<T>>>>,
    current: AtomicUsize,
}

impl<T> ArcSwapOption<T> {
    pub(crate) fn load(&self) -> Option<Arc<T>> {
        let current = self.current.load(Ordering::Acquire);
        self.values.lock().unwrap()[current].clone()
    }

    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        self.load()
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        let index = self.add(value);
        self.current.store(index, Ordering::Release);
    }

    fn add(&self, value: Option<Arc<T>>) -> usize {
        let mut values = self.values.lock().unwrap();
        values.push(value);
        values.len() - 1
    }
}

impl<T> Default for ArcSwapOption<T> {
    fn default() -> Self {
        Self {
            values: Hidden::new(vec![None]),
            current: AtomicUsize::new(0),
        }
    }
}

/// For std's: a thread that sees the flag sees the value.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicBool,
}

impl<T> OnceLock<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        let is_set = self.is_set.load(Ordering::Acquire);
        self.value.get().filter(|_| is_set)
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let value = self.value.get_or_init(init);
        self.is_set.store(true, Ordering::Release);
        value
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.store(true, Ordering::Release);
        Ok(())
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self {
            value: std::sync::OnceLock::new(),
            is_set: AtomicBool::new(false),
        }
    }
}

/// For tokio's: wakes every waiter that [`notified`](Self::notified) registered, polled or not.
#[derive(Debug)]
pub(crate) struct Notify {
    calls: AtomicUsize,
    waiting: Lock<Vec<Waker>>,
}

impl Notify {
    pub(crate) fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            since: self.calls.load(Ordering::SeqCst),
        }
    }

    pub(crate) fn notify_waiters(&self) {
        let mut waiting = self.waiting.lock().unwrap();
        self.calls.fetch_add(1, Ordering::SeqCst);
        let woken = std::mem::take(&mut *waiting);
        drop(waiting);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            calls: AtomicUsize::new(0),
            waiting: Lock::default(),
        }
    }
}

pub(crate) struct Notified<'a> {
    notify: &'a Notify,
    since: usize,
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.notify.waiting.lock().unwrap();
        if self.notify.calls.load(Ordering::SeqCst) != self.since {
            return Poll::Ready(());
        }
        waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

/// For a tokio task's: drops the task's future at once, or right after its poll if it is being polled. The caller of
/// the abort does not wait for that. A task that aborts itself is not modelled.
#[derive(Clone)]
pub(crate) struct AbortHandle(Arc<Shared>);

struct Shared {
    aborted: AtomicBool,
    task: Lock<Task>,
}

struct Task {
    /// `None` once it is done.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    waker: Option<Waker>,
}

impl AbortHandle {
    fn new(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Arc::new(Shared {
            aborted: AtomicBool::new(false),
            task: Lock::new(Task {
                future: Some(Box::pin(future)),
                waker: None,
            }),
        }))
    }

    pub(crate) fn abort(&self) {
        self.0.aborted.store(true, Ordering::SeqCst);
        // The poller checks the flag after it has released the lock.
        if let Ok(task) = self.0.task.try_lock() {
            Self::end(task);
        }
    }

    fn end(mut task: MutexGuard<'_, Task>) {
        let (future, waker) = (task.future.take(), task.waker.take());
        drop(task);
        drop(future);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.poll_once(cx);
        if self.0.aborted.load(Ordering::SeqCst) {
            Self::end(self.0.task.lock().unwrap());
            return Poll::Ready(());
        }
        polled
    }

    fn poll_once(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut task = self.0.task.lock().unwrap();
        task.waker = Some(cx.waker().clone());
        let Some(future) = &mut task.future else {
            return Poll::Ready(());
        };
        if self.0.aborted.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            task.future = None;
        }
        polled
    }
}

impl std::fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AbortHandle").finish_non_exhaustive()
    }
}

/// For tokio's: there is always a runtime, and each task has its own thread.
pub(crate) mod runtime {
    use std::future::poll_fn;

    use super::AbortHandle;

    pub(crate) struct NoRuntime;

    pub(crate) struct Handle;

    impl Handle {
        pub(crate) fn try_current() -> Result<Self, NoRuntime> {
            Ok(Self)
        }

        pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Spawned {
            let task = AbortHandle::new(future);
            let driven = task.clone();
            loom::thread::spawn(move || {
                loom::future::block_on(poll_fn(|cx| driven.poll(cx)));
            });
            Spawned(task)
        }
    }

    pub(crate) struct Spawned(AbortHandle);

    impl Spawned {
        pub(crate) fn abort_handle(&self) -> AbortHandle {
            self.0.clone()
        }
    }
}

/// For tokio's: no time passes. Waits end at once, and no bound is ever reached.
pub(crate) mod time {
    use std::time::Duration;

    pub(crate) struct Elapsed;

    /// Lets the other threads go on: the caller waits for their work.
    pub(crate) async fn sleep(_: Duration) {
        loom::thread::yield_now();
    }

    pub(crate) async fn timeout<F: Future>(_: Duration, future: F) -> Result<F::Output, Elapsed> {
        Ok(future.await)
    }
}
