//! What chaos did to a bank.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;
use tower_oauth::testing::Bank;

pub(crate) struct Log {
    /// Names of the faults, in the order in which they are applied.
    api: Vec<&'static str>,
    token: Counts,
    outages: Counts,
    pub(crate) revocations: u64,
    opened: Instant,
    /// From when until when there was no token to use, in seconds since the bank opened.
    without_token: Vec<[f64; 2]>,
    /// Until when the last token given out may be used.
    usable_until: Option<Instant>,
}

type Counts = BTreeMap<&'static str, u64>;

impl Log {
    pub(crate) fn open() -> Self {
        Self {
            api: Vec::new(),
            token: Counts::new(),
            outages: Counts::new(),
            revocations: 0,
            opened: Instant::now(),
            without_token: Vec::new(),
            usable_until: None,
        }
    }

    pub(crate) fn api(&mut self, fault: &'static str) {
        self.api.push(fault);
    }

    pub(crate) fn api_queued(&self) -> u64 {
        self.api.len() as u64
    }

    pub(crate) fn token(&mut self, fault: &'static str) {
        *self.token.entry(fault).or_default() += 1;
    }

    pub(crate) fn outage(&mut self, fault: &'static str) {
        *self.outages.entry(fault).or_default() += 1;
    }

    fn issued(&mut self, lifetime: Duration) {
        self.end_of_gap();
        // A client stops a twentieth early, lest the token die on its way.
        self.usable_until = Some(Instant::now() + lifetime * 19 / 20);
    }

    fn end_of_gap(&mut self) {
        let since = |moment: Instant| (moment - self.opened).as_secs_f64();
        let gap = self
            .usable_until
            .map(|end| [end, Instant::now()].map(since));
        self.without_token
            .extend(gap.filter(|[from, to]| from < to));
    }

    /// The one JSON object; a fault that is still waiting for its request is not in it.
    pub(crate) fn report(&mut self, bank: &Bank) -> Value {
        self.end_of_gap();
        let seen = bank.counters();
        let mut api = Counts::new();
        for (fault, _) in self.api.iter().zip(0..seen.api_faults) {
            *api.entry(fault).or_default() += 1;
        }
        json!({
            "bank": bank.name(),
            "token_requests": seen.token_requests,
            "token_faults": seen.token_faults,
            "tokens_issued": seen.tokens_issued,
            "api_requests": seen.api_requests,
            "api_rejected": seen.api_unauthorized + seen.api_forbidden,
            "faults": { "api": api, "token": self.token, "outages": self.outages },
            "revocations": self.revocations,
            "without_token_s": self.without_token,
        })
    }
}

/// Notes whenever a token was given out, and for how long there had been none.
pub(crate) async fn watch(bank: &Bank, log: &Mutex<Log>, lifetime: Duration) {
    let mut issued = 0;
    loop {
        let seen = bank.wait_for(|seen| seen.tokens_issued > issued).await;
        issued = seen.tokens_issued;
        let mut log = log.lock().expect("no panic while it is locked");
        log.issued(lifetime);
    }
}
