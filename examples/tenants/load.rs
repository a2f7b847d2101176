//! Sends the requests, and counts what became of them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{self, MissedTickBehavior},
};
use tower_oauth::BoxError;

use crate::{customers::Customer, stack::Stack};

/// 400 requests a second.
const APART: Duration = Duration::from_micros(2500);

/// Requests of the traffic under way. A machine that is too slow starts the rest later.
const AT_ONCE: usize = 64;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
}

impl Tally {
    fn count(&mut self, result: Result<(), BoxError>) {
        self.requests += 1;
        if let Err(error) = result {
            self.failed += 1;
            // The first says enough.
            if self.failed == 1 {
                eprintln!("failed: {error}");
            }
        }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            failed: self.failed - before.failed,
        }
    }

    /// Whether all were answered, each as its customer.
    pub(crate) fn is_good(self) -> bool {
        self.requests > 0 && self.failed == 0
    }
}

/// Sends a request as each customer at the same moment.
pub(crate) async fn at_once(
    stack: &Arc<Stack>,
    customers: &[Customer],
    mut done: impl FnMut(),
) -> Tally {
    let mut requests = JoinSet::new();
    for &customer in customers {
        let stack = stack.clone();
        requests.spawn(async move { stack.call(customer).await });
    }
    let mut tally = Tally::default();
    while let Some(result) = requests.join_next().await {
        tally.count(result.unwrap_or_else(|panicked| Err(panicked.into())));
        done();
    }
    tally
}

/// Requests in the background, as one customer after the other.
pub(crate) struct Traffic {
    tally: Arc<Mutex<Tally>>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Traffic {
    pub(crate) fn start(stack: &Arc<Stack>, customers: Vec<Customer>) -> Self {
        let tally = Arc::default();
        let (stop, stopped) = oneshot::channel();
        Self {
            running: tokio::spawn(run(stack.clone(), customers, Arc::clone(&tally), stopped)),
            tally,
            stop,
        }
    }

    /// What became of the requests so far.
    pub(crate) fn tally(&self) -> Tally {
        *locked(&self.tally)
    }

    /// Waits for the requests under way.
    pub(crate) async fn end(self) -> Tally {
        let _ = self.stop.send(());
        self.running.await.expect("the traffic does not panic");
        *locked(&self.tally)
    }
}

async fn run(
    stack: Arc<Stack>,
    customers: Vec<Customer>,
    tally: Arc<Mutex<Tally>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut ticks = time::interval(APART);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut requests = JoinSet::new();
    for customer in customers.into_iter().cycle() {
        ticks.tick().await;
        if stopped.try_recv().is_ok() {
            break;
        }
        if requests.len() >= AT_ONCE {
            requests.join_next().await;
        }
        let (stack, tally) = (stack.clone(), tally.clone());
        requests.spawn(async move {
            let result = stack.call(customer).await;
            locked(&tally).count(result);
        });
        while requests.try_join_next().is_some() {}
    }
    requests.join_all().await;
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
