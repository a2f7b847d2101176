//! A client certificate is replaced on disk while 1,000 requests a second run, by both clients and both versions of
//! TLS.
//!
//! ```sh
//! cargo run --example rotate_certificates
//! ```
//!
//! The bank is the embedded one. It binds tokens to the certificate, and after the replacement it takes the new
//! certificate only. Exit status 1 if a promise broke: the new certificate is shown and the old one is not used again,
//! no request fails, and there is one more fetch.

mod files;
mod load;
mod stack;

use std::{process::ExitCode, time::Duration};

use tokio::time::{self, Instant};
use tower_oauth::{
    BoxError,
    testing::{Authority, Bank, Tls},
};

use crate::{
    files::Files,
    load::{Load, Tally},
    stack::{CLIENTS, Client, Stack},
};

/// How long the load runs before the replacement, and after the bank accepts only the new certificate.
const PART: Duration = Duration::from_secs(1);
/// In production 30 s, the default.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Only where the promise broke it takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

struct Outcome {
    serial: String,
    /// From the replacement on disk to the first handshake with the new certificate.
    seen_after: Option<Duration>,
    tally: Tally,
    /// Requests with the old certificate that started after the new one was in use.
    late: u64,
    fetches: u64,
}

impl Outcome {
    fn keeps_its_promises(&self) -> bool {
        self.seen_after.is_some()
            && self.serial == "02"
            && self.tally.failed == 0
            && self.tally.requests > 0
            && self.late == 0
            && self.fetches == 2
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    println!(
        "client  | TLS | serial   | seen after | requests | failed | with the old one | fetches"
    );
    let mut all_kept = true;
    for client in CLIENTS {
        let outcome = replace_under_load(client).await?;
        print_row(client, &outcome);
        all_kept &= outcome.keeps_its_promises();
    }
    Ok(match all_kept {
        true => ExitCode::SUCCESS,
        false => {
            eprintln!("A promise broke.");
            ExitCode::FAILURE
        }
    })
}

fn print_row(client: Client, outcome: &Outcome) {
    let seen = outcome
        .seen_after
        .map_or_else(|| "never".into(), |it| format!("{:.2} s", it.as_secs_f64()));
    let kept = match outcome.keeps_its_promises() {
        true => "",
        false => "  <- broken",
    };
    println!(
        "{:<7} | {} | 01 -> {} | {seen:>10} | {:>8} | {:>6} | {:>16} | {:>7}{kept}",
        client.name(),
        client.version(),
        outcome.serial,
        outcome.tally.requests,
        outcome.tally.failed,
        outcome.late,
        outcome.fetches,
    );
}

async fn replace_under_load(client: Client) -> Result<Outcome, BoxError> {
    let authority = Authority::new()?;
    let old = authority.client_certificate("me").serial(1).issue()?;
    let new = authority.client_certificate("me").serial(2).issue()?;
    let files = Files::new(&old)?;
    let bank = Bank::bankly().tls(Tls::new(&authority)?).start().await?;
    let identity = files.identity().poll_interval(POLL_INTERVAL).build()?;
    let stack = Stack::new(client, &authority, &identity, &bank)?;
    stack.source.ready().await?;

    let load = Load::start(stack.api.clone(), bank.api_url());
    time::sleep(PART).await;
    files.replace(&new)?;
    let replaced = Instant::now();
    let seen_after = seen(&bank, &new, replaced).await;
    // The requests of the first load may have started with the old certificate, so they end first.
    let second = Load::start(stack.api.clone(), bank.api_url());
    let tally = load.end().await;
    let before = bank.certificate_use(&old).requests;
    bank.accept_only(&[&new])?;
    time::sleep(PART).await;
    let tally = tally.and(second.end().await);
    Ok(Outcome {
        serial: identity.certificate().serial,
        seen_after,
        tally,
        late: bank.certificate_use(&old).requests - before,
        fetches: stack.source.status().counters.fetches,
    })
}

async fn seen(
    bank: &Bank,
    new: &tower_oauth::testing::Identity,
    since: Instant,
) -> Option<Duration> {
    let handshake = bank.wait_for(|_| bank.certificate_use(new).handshakes > 0);
    time::timeout(PATIENCE, handshake).await.ok()?;
    Some(since.elapsed())
}
