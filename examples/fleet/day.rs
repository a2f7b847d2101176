//! One day of the fleet.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use futures_util::FutureExt;
use tokio::{
    runtime::Builder,
    time::{Instant, sleep_until},
};
use tower_oauth::{
    Clock,
    shared::{SealingKeys, SharedStore},
};

use crate::{
    bank::{Bank, DAY, OUTAGE, REVOCATION},
    manager::{Kind, Manager},
};

const REPLICAS: usize = 1000;

/// Each replica sends a request this often, at its own time.
const EVERY: usize = 5;

/// The steps in a second.
const BEATS: usize = 10;

pub(crate) struct Day {
    /// The token requests of each second.
    pub(crate) fetches: Vec<u32>,
    /// Requests that got no token, or were rejected twice.
    pub(crate) lost: u64,
}

/// Token requests: the maximum in one second of each part of the day, and the total.
pub(crate) struct Figures {
    pub(crate) start: u32,
    pub(crate) steady: u32,
    pub(crate) outage: u32,
    pub(crate) revocation: u32,
    pub(crate) total: u64,
}

struct Replica {
    manager: Manager,
    bank: Bank,
    lost: Arc<AtomicU64>,
}

pub(crate) fn simulate(kind: Kind) -> Day {
    // What waits for another replica's fetch draws from the thread's own randomness.
    fastrand::seed(1);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(live(kind))
}

async fn live(kind: Kind) -> Day {
    let bank = Bank::open();
    let lost = Arc::new(AtomicU64::new(0));
    let beats = fleet(kind, &bank, &lost);
    let started = Instant::now();
    for beat in 0..DAY * BEATS {
        let at = Duration::from_millis((beat * 1000 / BEATS) as u64);
        sleep_until(started + at).await;
        for replica in &beats[beat % beats.len()] {
            replica.request();
        }
    }
    Day {
        fetches: bank.attempts(),
        lost: lost.load(Ordering::Relaxed),
    }
}

/// The replicas, by the step at which each sends its requests.
fn fleet(kind: Kind, bank: &Bank, lost: &Arc<AtomicU64>) -> Vec<Vec<Arc<Replica>>> {
    let clock = Clock::tokio();
    let store = SharedStore::in_memory(clock.clone(), SealingKeys::new(&[7; 32]));
    let mut rng = Rng::with_seed(1);
    let mut beats: Vec<Vec<_>> = (0..EVERY * BEATS).map(|_| Vec::new()).collect();
    for seed in 0..REPLICAS as u64 {
        let beat = rng.usize(..beats.len());
        beats[beat].push(Arc::new(Replica {
            manager: Manager::new(kind, bank, &clock, &store, seed),
            bank: bank.clone(),
            lost: lost.clone(),
        }));
    }
    beats
}

impl Replica {
    fn request(self: &Arc<Self>) {
        let mut request = Box::pin(self.clone().send());
        // Usually there is a token, and no wait.
        if request.as_mut().now_or_never().is_none() {
            tokio::spawn(request);
        }
    }

    /// A request, sent once more if its token was rejected.
    async fn send(self: Arc<Self>) {
        for _ in 0..2 {
            let Some(held) = self.manager.token().await else {
                break;
            };
            if self.bank.takes(held.ticket) {
                return;
            }
            self.manager.rejected(&held).await;
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl Day {
    pub(crate) fn figures(&self) -> Figures {
        const MINUTE: usize = 60;
        // Including the ten minutes in which the fleet recovers.
        let outage = OUTAGE.start..OUTAGE.end + 10 * MINUTE;
        let revocation = REVOCATION..REVOCATION + MINUTE;
        let quiet = [
            MINUTE..outage.start,
            outage.end..revocation.start,
            revocation.end..DAY,
        ];
        Figures {
            start: self.most(0..MINUTE),
            steady: quiet.map(|it| self.most(it)).into_iter().max().unwrap_or(0),
            outage: self.most(outage),
            revocation: self.most(revocation),
            total: self.fetches.iter().copied().map(u64::from).sum(),
        }
    }

    fn most(&self, seconds: Range<usize>) -> u32 {
        self.fetches[seconds].iter().copied().max().unwrap_or(0)
    }
}
