//! The clients that a bank knows.

mod bank_client;
mod client;
mod credentials;
mod named;

use std::{collections::HashMap, sync::Arc};

pub use bank_client::BankClient;
pub(super) use client::Client;
pub(super) use credentials::Credentials;

pub(super) struct Clients {
    /// The client that the methods of the bank itself are about.
    own: Client,
    /// The others, by id.
    others: HashMap<Arc<str>, Client>,
}

impl Clients {
    pub(super) fn new(own: Client) -> Self {
        Self {
            own,
            others: HashMap::new(),
        }
    }

    pub(super) fn own(&self) -> &Client {
        &self.own
    }

    pub(super) fn get(&self, id: &str) -> Option<&Client> {
        match *self.own.id == *id {
            true => Some(&self.own),
            false => self.others.get(id),
        }
    }

    pub(super) fn len(&self) -> usize {
        1 + self.others.len()
    }

    pub(super) fn replace_own(&mut self, own: Client) {
        self.others.remove(&own.id);
        self.own = own;
    }

    pub(super) fn insert(&mut self, client: Client) {
        match self.own.id == client.id {
            true => self.own = client,
            false => drop(self.others.insert(Arc::clone(&client.id), client)),
        }
    }
}
