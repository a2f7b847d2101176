//! The token manager of a replica: this crate's source, with default settings or without jitter and back-off, or a few
//! lines written by hand.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};
use tower::{Layer, service_fn};
use tower_oauth::{
    BackOff, BoxError, Clock, FetchError, Generation, Policy, Token, TokenRequest, TokenSource,
    shared::{SharedLayer, SharedStore},
};

use crate::bank::{Bank, LIFETIME, Ticket};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Defaults,
    /// The same, with a store that all replicas share.
    Shared,
    /// No jitter, and the shortest waits that the policy allows.
    NoBackOff,
    ByHand,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Defaults, Self::Shared, Self::NoBackOff, Self::ByHand];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Defaults => "default settings",
            Self::Shared => "shared",
            Self::NoBackOff => "no jitter, no back-off",
            Self::ByHand => "by hand",
        }
    }
}

#[derive(Clone)]
pub(crate) enum Manager {
    Source(TokenSource),
    ByHand(Arc<ByHand>),
}

/// The current token of a replica.
pub(crate) struct Held {
    pub(crate) ticket: Ticket,
    generation: Option<Generation>,
}

impl Manager {
    pub(crate) fn new(
        kind: Kind,
        bank: &Bank,
        clock: &Clock,
        store: &SharedStore,
        seed: u64,
    ) -> Self {
        let policy = match kind {
            Kind::Defaults | Kind::Shared => Policy::default(),
            Kind::NoBackOff => no_manners(),
            Kind::ByHand => return Self::ByHand(Arc::new(ByHand::new(bank.clone()))),
        };
        let bank = bank.clone();
        let fetcher = service_fn(move |_: TokenRequest| fetch(bank.clone()));
        let layer = SharedLayer::new(store.clone(), "fleet").clock(clock.clone());
        let source = match kind {
            Kind::Shared => TokenSource::builder(layer.layer(fetcher)).sharing(layer.sharing()),
            _ => TokenSource::builder(fetcher),
        };
        let source = source
            .clock(clock.clone())
            .seed(seed)
            .policy(|it| *it = policy)
            .build();
        Self::Source(source.unwrap())
    }

    pub(crate) async fn token(&self) -> Option<Held> {
        match self {
            Self::Source(source) => {
                let token = source.token().await.ok()?;
                Some(Held {
                    ticket: Ticket(token.expose_token().parse().unwrap()),
                    generation: Some(token.generation()),
                })
            }
            Self::ByHand(cache) => Some(Held {
                ticket: cache.token().await?,
                generation: None,
            }),
        }
    }

    /// The API rejected this token.
    pub(crate) async fn rejected(&self, held: &Held) {
        match (self, held.generation) {
            (Self::Source(source), Some(generation)) => source.invalidate(generation),
            (Self::ByHand(cache), _) => cache.forget(held.ticket).await,
            _ => {}
        }
    }
}

async fn fetch(bank: Bank) -> Result<Token, BoxError> {
    let issued = bank.issue().await;
    let Ticket(number) = issued.map_err(|_| FetchError::transient("the bank is down"))?;
    Ok(Token::new(number.to_string()).with_lifetime(LIFETIME))
}

fn no_manners() -> Policy {
    const SHORTEST: Duration = Duration::from_millis(1);
    let mut policy = Policy::default();
    policy.refresh.jitter = 0.0;
    policy.retry.first_wait = Duration::ZERO;
    policy.back_off.min_fetch_interval = SHORTEST;
    policy.back_off.transient = BackOff::new(SHORTEST, SHORTEST);
    policy
}

/// What people often write without a library: a token under a lock. A request refreshes it five minutes before its end.
/// If the refresh fails, that request fails, and the next one tries again.
pub(crate) struct ByHand {
    bank: Bank,
    token: Mutex<Option<(Ticket, Instant)>>,
}

const MARGIN: Duration = Duration::from_secs(300);

impl ByHand {
    fn new(bank: Bank) -> Self {
        Self {
            bank,
            token: Mutex::new(None),
        }
    }

    async fn token(&self) -> Option<Ticket> {
        let mut token = self.token.lock().await;
        match *token {
            Some((ticket, until)) if Instant::now() + MARGIN < until => Some(ticket),
            _ => {
                let ticket = self.bank.issue().await.ok()?;
                *token = Some((ticket, Instant::now() + LIFETIME));
                Some(ticket)
            }
        }
    }

    async fn forget(&self, rejected: Ticket) {
        let mut token = self.token.lock().await;
        token.take_if(|(ticket, _)| *ticket == rejected);
    }
}
