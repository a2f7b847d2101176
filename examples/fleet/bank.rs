//! The bank: a token endpoint that counts the requests of each second, and an API that checks the tokens.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, sleep};

pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);

/// The latency of the token endpoint.
const LATENCY: Duration = Duration::from_millis(150);

/// When its outage is, in seconds.
pub(crate) const OUTAGE: std::ops::Range<usize> = clock(6, 22)..clock(6, 32);

/// When all tokens are revoked, in seconds.
pub(crate) const REVOCATION: usize = clock(12, 0);

pub(crate) const DAY: usize = clock(24, 0);

/// A time of day in seconds.
const fn clock(hours: usize, minutes: usize) -> usize {
    (hours * 60 + minutes) * 60
}

/// A token: the bank's n-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) usize);

#[derive(Clone)]
pub(crate) struct Bank {
    started: Instant,
    state: Arc<Mutex<BankState>>,
}

struct BankState {
    /// When each token was issued.
    issued: Vec<Instant>,
    /// The token requests of each second.
    fetches: Vec<u32>,
}

/// The answer of a server that is down.
#[derive(Debug)]
pub(crate) struct Down;

impl Bank {
    pub(crate) fn open() -> Self {
        let state = BankState {
            issued: Vec::new(),
            fetches: vec![0; DAY],
        };
        Self {
            started: Instant::now(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Issues a token, unless the endpoint is down.
    pub(crate) async fn issue(&self) -> Result<Ticket, Down> {
        let second = self.second();
        if let Some(count) = self.state.lock().unwrap().fetches.get_mut(second) {
            *count += 1;
        }
        sleep(LATENCY).await;
        if OUTAGE.contains(&second) {
            return Err(Down);
        }
        let mut state = self.state.lock().unwrap();
        state.issued.push(Instant::now());
        Ok(Ticket(state.issued.len() - 1))
    }

    /// Whether the API accepts a token.
    pub(crate) fn takes(&self, Ticket(number): Ticket) -> bool {
        let issued = self.state.lock().unwrap().issued[number];
        let revoked = self.second() >= REVOCATION
            && issued < self.started + Duration::from_secs(REVOCATION as u64);
        issued.elapsed() < LIFETIME && !revoked
    }

    pub(crate) fn attempts(&self) -> Vec<u32> {
        self.state.lock().unwrap().fetches.clone()
    }

    fn second(&self) -> usize {
        usize::try_from(self.started.elapsed().as_secs()).unwrap()
    }
}
