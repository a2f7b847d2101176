//! TransportError at a bank, drawn at random from a seed: for clients that are to be tried for long.
//!
//! Every kind but one leaves a client that does all it can without a lost request: the token endpoint stumbles no more
//! often than one fetch may try, and tokens are revoked no more often than they may be fetched anew. In an outage the
//! token may die; how long there was none is in the log. Every other bank has no outages.

use std::{iter, sync::Mutex, time::Duration};

use fastrand::Rng;
use http::StatusCode;
use tokio::time::{Instant, sleep};
use tower_oauth::testing::{Bank, Fault};

use crate::log::Log;

/// A client may fetch three tokens because of rejections, and one more per 20 seconds.
const BETWEEN_REVOCATIONS: Duration = Duration::from_secs(25);

/// Long enough that no fetch is under way any more which began before the token.
const SETTLED: Duration = Duration::from_millis(500);

pub(crate) struct Chaos<'a> {
    bank: &'a Bank,
    log: &'a Mutex<Log>,
    rng: Rng,
    outages: bool,
    revoked: Instant,
}

type Named = (&'static str, Fault);

impl<'a> Chaos<'a> {
    pub(crate) fn new(bank: &'a Bank, log: &'a Mutex<Log>, seed: u64, outages: bool) -> Self {
        Self {
            bank,
            log,
            rng: Rng::with_seed(seed),
            outages,
            revoked: Instant::now(),
        }
    }

    /// Causes one fault after another. Each ends before the next, with a pause between them.
    pub(crate) async fn rage(mut self) {
        self.bank.wait_for(|seen| seen.tokens_issued > 0).await;
        loop {
            let calm = self.millis(200, 3000);
            sleep(calm).await;
            match self.rng.u8(0..10) {
                0..2 => self.stumble().await,
                2 => self.slow_down().await,
                3 => self.revoke().await,
                4 if self.outages => self.outage().await,
                _ => self.api_faults().await,
            }
        }
    }

    async fn stumble(&mut self) {
        let count = self.rng.usize(1..=2);
        let faults = iter::repeat_with(|| self.passing()).take(count).collect();
        self.token_faults(faults).await;
    }

    async fn slow_down(&mut self) {
        let fault = match self.rng.bool() {
            true => ("delay", Fault::Delay(self.millis(100, 2000))),
            false => ("drip", Fault::Drip(Duration::from_millis(2))),
        };
        self.token_faults(vec![fault]).await;
    }

    async fn revoke(&mut self) {
        if self.revoked.elapsed() < BETWEEN_REVOCATIONS {
            return;
        }
        self.next_token().await;
        sleep(SETTLED).await;
        self.bank.revoke_all();
        self.revoked = Instant::now();
        self.note(|log| log.revocations += 1);
        self.next_token().await;
    }

    async fn outage(&mut self) {
        let (name, fault) = self.lasting();
        self.note(|log| log.outage(name));
        let issued = self.bank.counters().tokens_issued;
        self.bank.token_fault_always(fault);
        let length = self.millis(1000, 8000);
        sleep(length).await;
        self.bank.heal();
        self.bank.wait_for(|seen| seen.tokens_issued > issued).await;
    }

    async fn api_faults(&mut self) {
        let count = self.rng.usize(1..=5);
        for _ in 0..count {
            let (name, fault) = self.at_the_api();
            self.note(|log| log.api(name));
            self.bank.api_faults([fault]);
        }
        let queued = self.note(|log| log.api_queued());
        self.bank.wait_for(|seen| seen.api_faults >= queued).await;
    }

    /// Queues the faults, and waits for the request after the last of them.
    async fn token_faults(&self, faults: Vec<Named>) {
        let requests = self.bank.counters().token_requests;
        let done = requests + faults.len() as u64;
        for (name, fault) in faults {
            self.note(|log| log.token(name));
            self.bank.token_faults([fault]);
        }
        self.bank.wait_for(|seen| seen.token_requests > done).await;
    }

    async fn next_token(&self) {
        let issued = self.bank.counters().tokens_issued;
        self.bank.wait_for(|seen| seen.tokens_issued > issued).await;
    }

    /// What a fetch tries again by itself.
    fn passing(&mut self) -> Named {
        match self.rng.u8(0..6) {
            0 => ("500", Fault::status(StatusCode::INTERNAL_SERVER_ERROR)),
            1 => ("503", Fault::status(StatusCode::SERVICE_UNAVAILABLE)),
            2 => (
                "503, 1 s",
                Fault::retry_after(StatusCode::SERVICE_UNAVAILABLE, "1"),
            ),
            3 => (
                "429, 1 s",
                Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "1"),
            ),
            4 => ("reset", Fault::Reset),
            _ => ("cut off", Fault::CutOff),
        }
    }

    /// None of them gives a token out.
    fn lasting(&mut self) -> Named {
        match self.rng.u8(0..6) {
            0 => ("503", Fault::status(StatusCode::SERVICE_UNAVAILABLE)),
            1 => ("403", Fault::status(StatusCode::FORBIDDEN)),
            2 => (
                "invalid_client",
                Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client"),
            ),
            3 => ("html", Fault::html()),
            4 => ("reset", Fault::Reset),
            _ => ("hang", Fault::Hang),
        }
    }

    fn at_the_api(&mut self) -> Named {
        match self.rng.u8(0..20) {
            0..4 => ("500", Fault::status(StatusCode::INTERNAL_SERVER_ERROR)),
            4..8 => ("503", Fault::status(StatusCode::SERVICE_UNAVAILABLE)),
            8..10 => ("429", Fault::status(StatusCode::TOO_MANY_REQUESTS)),
            10..13 => ("reset", Fault::Reset),
            13..16 => ("cut off", Fault::CutOff),
            16..18 => ("delay", Fault::Delay(self.millis(100, 2000))),
            18 => ("drip", Fault::Drip(Duration::from_millis(2))),
            _ => ("hang", Fault::Hang),
        }
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.rng.u64(least..=most))
    }

    fn note<T>(&self, note: impl FnOnce(&mut Log) -> T) -> T {
        note(&mut self.log.lock().expect("no panic while it is locked"))
    }
}
