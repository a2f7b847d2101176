//! A bank with a token per customer, without a network.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tower::service_fn;
use tower_oauth::{
    BoxError, Clock, ConfigError, Token, TokenRequest, TokenSource,
    pool::{SourcePool, SourcePoolBuilder},
};

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[derive(Clone)]
pub(crate) struct Bank {
    pub(crate) clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    /// How many sources were made for a customer.
    pub(crate) made: BTreeMap<u32, u32>,
    /// How many token requests a customer has sent.
    pub(crate) token_requests: BTreeMap<u32, u32>,
    /// How long the bank takes to answer.
    pub(crate) latency: Duration,
    /// How long it takes to make a source.
    pub(crate) making: Duration,
    /// The customers whose credential cannot be read.
    pub(crate) unknown: Vec<u32>,
}

impl Bank {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::tokio(),
            state: Arc::default(),
        }
    }

    /// Outside a runtime, where there is no time to pause.
    pub(crate) fn outside() -> Self {
        Self {
            clock: Clock::system(),
            state: Arc::default(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn pool(&self) -> SourcePoolBuilder<u32> {
        let bank = self.clone();
        let make = move |customer| {
            let bank = bank.clone();
            async move { bank.make(customer).await }
        };
        SourcePool::builder(make).clock(self.clock.clone())
    }

    async fn make(self, customer: u32) -> Result<TokenSource, BoxError> {
        let making = self.state().making;
        tokio::time::sleep(making).await;
        *self.state().made.entry(customer).or_default() += 1;
        if self.state().unknown.contains(&customer) {
            return Err(format!("customer {customer} is unknown").into());
        }
        Ok(self.source(customer)?)
    }

    pub(crate) fn source(&self, customer: u32) -> Result<TokenSource, ConfigError> {
        let bank = self.clone();
        let fetcher = service_fn(move |_: TokenRequest| {
            let bank = bank.clone();
            async move {
                let (number, latency) = bank.count(customer);
                tokio::time::sleep(latency).await;
                let token = Token::new(format!("{customer}:{number}"));
                Ok::<_, BoxError>(token.with_lifetime(secs(3600)))
            }
        });
        TokenSource::builder(fetcher)
            .name(format!("bank/{customer}"))
            .clock(self.clock.clone())
            .seed(customer.into())
            .build()
    }

    fn count(&self, customer: u32) -> (u32, Duration) {
        let mut state = self.state();
        let number = state.token_requests.entry(customer).or_default();
        *number += 1;
        (*number, state.latency)
    }

    pub(crate) fn made(&self, customer: u32) -> u32 {
        self.state().made.get(&customer).copied().unwrap_or(0)
    }
}

/// The text of a customer's token.
pub(crate) async fn token(pool: &SourcePool<u32>, customer: u32) -> String {
    let source = pool.source(&customer).await.unwrap();
    source.token().await.unwrap().expose_token().to_owned()
}
