//! Who the customers are, and the table of their credentials.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use fastrand::Rng;
use tower_oauth::{ClientId, ClientSecret, ConfigError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Customer(u32);

impl Customer {
    /// Its client id at the bank.
    pub(crate) fn id(self) -> String {
        self.to_string()
    }

    pub(crate) fn secret(self) -> String {
        format!("secret-of-{self}")
    }
}

impl fmt::Display for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "customer-{:05}", self.0)
    }
}

pub(crate) struct Customers {
    /// Half of those of the start: they send requests all the time.
    pub(crate) busy: Vec<Customer>,
    /// An eighth: they need a token at the same moment as the bank says 429.
    pub(crate) held_back: Vec<Customer>,
    /// The others: they send one request at the start.
    pub(crate) quiet: Vec<Customer>,
    /// They come late, and are too many for the pool.
    pub(crate) newcomers: Vec<Customer>,
    /// One whose secret is wrong in the table.
    pub(crate) mistaken: Customer,
}

impl Customers {
    pub(crate) fn new(count: u32, rng: &mut Rng) -> Self {
        let mut busy: Vec<_> = (0..count).map(Customer).collect();
        rng.shuffle(&mut busy);
        let mut held_back = busy.split_off(busy.len() / 2);
        let quiet = held_back.split_off(held_back.len() / 4);
        let newcomers = (count..count + count / 5).map(Customer).collect();
        Self {
            busy,
            held_back,
            quiet,
            newcomers,
            mistaken: Customer(count + count / 5),
        }
    }

    /// Those of the start.
    pub(crate) fn first(&self) -> Vec<Customer> {
        [&*self.busy, &self.held_back, &self.quiet].concat()
    }

    pub(crate) fn all(&self) -> Vec<Customer> {
        [&*self.first(), &self.newcomers, &[self.mistaken]].concat()
    }
}

/// Stands for a database.
pub(crate) struct Table {
    mistaken: Customer,
    is_corrected: AtomicBool,
}

impl Table {
    pub(crate) fn new(mistaken: Customer) -> Self {
        Self {
            mistaken,
            is_corrected: AtomicBool::new(false),
        }
    }

    pub(crate) fn correct(&self) {
        self.is_corrected.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn credential(
        &self,
        customer: Customer,
    ) -> Result<(ClientId, ClientSecret), ConfigError> {
        let is_wrong = customer == self.mistaken && !self.is_corrected.load(Ordering::Relaxed);
        let secret = match is_wrong {
            true => "a secret of long ago".into(),
            false => customer.secret(),
        };
        Ok((ClientId::new(customer.id())?, ClientSecret::new(secret)))
    }
}
