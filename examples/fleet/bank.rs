//! The one bank: a token endpoint that counts who comes in which second, and an API that knows its tokens.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, sleep};

pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);

/// What the token endpoint takes to answer.
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
    books: Arc<Mutex<Books>>,
}

struct Books {
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
        let books = Books {
            issued: Vec::new(),
            fetches: vec![0; DAY],
        };
        Self {
            started: Instant::now(),
            books: Arc::new(Mutex::new(books)),
        }
    }

    /// Issues a token, unless the endpoint is down.
    pub(crate) async fn issue(&self) -> Result<Ticket, Down> {
        let second = self.second();
        if let Some(count) = self.books.lock().unwrap().fetches.get_mut(second) {
            *count += 1;
        }
        sleep(LATENCY).await;
        if OUTAGE.contains(&second) {
            return Err(Down);
        }
        let mut books = self.books.lock().unwrap();
        books.issued.push(Instant::now());
        Ok(Ticket(books.issued.len() - 1))
    }

    /// Whether the API takes a token.
    pub(crate) fn takes(&self, Ticket(number): Ticket) -> bool {
        let issued = self.books.lock().unwrap().issued[number];
        let revoked = self.second() >= REVOCATION
            && issued < self.started + Duration::from_secs(REVOCATION as u64);
        issued.elapsed() < LIFETIME && !revoked
    }

    pub(crate) fn fetches(&self) -> Vec<u32> {
        self.books.lock().unwrap().fetches.clone()
    }

    fn second(&self) -> usize {
        usize::try_from(self.started.elapsed().as_secs()).unwrap()
    }
}
