//! What a run must have been, by what was done to the bank.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{CONCURRENCY, LIFETIME, RATE, call::Ended, process::Look, trend::Trend};

/// Growth that is no leak, in KiB, whatever the duration: what the allocator holds back, and a histogram of latencies
/// that is touched bit by bit (0.2 MiB). Good runs of two minutes grew by up to 0.7 MiB, and a leak of 200 bytes per
/// request is more than this in two minutes, one of 5 bytes in an hour.
const GROWTH: f64 = 1536.0;

/// An outage lasts 8 s at most. A fetch that has failed for good in it is tried anew after 12.5 s at most, and one that
/// hangs ends after 8 s.
const LONGEST_GAP: f64 = 8.0 + 12.5 + 4.5;

/// Connections that `call` may hold: one per request at once and as many on their way, and the token's.
const FILES: u64 = 2 * CONCURRENCY as u64 + 20;

/// What is wrong; and prints what was seen.
pub(crate) fn of(call: Ended, bank: &Value, duration: Duration) -> Vec<String> {
    let pauses = Pauses::of(&call.looks);
    let mut verdict = Verdict {
        wrong: Vec::new(),
        duration: duration.as_secs_f64(),
        pauses,
    };
    println!(
        "\n{}\n  bank: {bank}\n  call: {}",
        bank["bank"], call.report
    );
    verdict.answers(&call.report, bank);
    verdict.refreshes(bank);
    verdict.process(&call, duration);
    let name = bank["bank"].as_str().unwrap();
    verdict
        .wrong
        .iter()
        .map(|wrong| format!("{name}: {wrong}"))
        .collect()
}

struct Verdict {
    wrong: Vec<String>,
    duration: f64,
    pauses: Pauses,
}

/// When nothing ran on the machine: clocks go on, and tokens die on the wire.
struct Pauses {
    count: u64,
    seconds: f64,
}

impl Pauses {
    fn of(looks: &[(Duration, Look)]) -> Self {
        let between = looks
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0).as_secs_f64());
        let pauses = between.filter(|&seconds| seconds > 2.0);
        Self {
            count: pauses.clone().count() as u64,
            seconds: pauses.sum(),
        }
    }
}

impl Verdict {
    fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(otherwise());
        }
    }

    /// Every request got what the bank gave it. It may have failed without a token only while there was none.
    fn answers(&mut self, call: &Value, bank: &Value) {
        let struck = &bank["faults"]["api"];
        let broken = ["reset", "cut off", "hang"]
            .map(|fault| count(&struck[fault]))
            .iter()
            .sum::<u64>();
        let given = statuses(struck);
        let got = statuses(&call["status"]);
        self.must(got == given, || format!("answers {got:?}, given {given:?}"));
        let errors = sum(&call["errors"]);
        self.must(errors >= broken, || {
            format!("{errors} errors, though {broken} answers were broken")
        });
        let without_token = errors.saturating_sub(broken);
        let allowed = self.allowed(bank);
        println!("  {without_token} failed without a token, {allowed} could have");
        self.must(without_token <= allowed, || {
            format!("{without_token} requests failed without a token, of {allowed} that could have")
        });
        self.counts(call, bank, without_token);
    }

    /// None where the token endpoint recovered within every fetch. After an outage as many as may have begun while
    /// there was no token: the rate's, and for what lies between the moment that a bank gives a token out and the
    /// moment that its client has it.
    fn allowed(&self, bank: &Value) -> u64 {
        if sum(&bank["faults"]["outages"]) == 0 && self.pauses.count == 0 {
            return 0;
        }
        let begun = |gap: f64| ((gap + 0.2) * f64::from(RATE)).ceil() as u64;
        gaps(bank, self.duration).map(begun).sum()
    }

    /// Nothing was sent twice, nothing got lost, and the whole load was done.
    fn counts(&mut self, call: &Value, bank: &Value, unsent: u64) {
        let requests = count(&call["requests"]);
        let sent = requests - unsent + count(&call["token"]["retries"]);
        let arrived = count(&bank["api_requests"]);
        self.must(sent == arrived, || {
            format!("{sent} requests sent, {arrived} arrived")
        });
        let gaps: f64 = gaps(bank, self.duration).sum();
        let least = (self.duration - gaps - self.pauses.seconds) * f64::from(RATE) / 2.0;
        self.must(requests as f64 >= least, || {
            format!("{requests} requests, fewer than {least}")
        });
    }

    fn refreshes(&mut self, bank: &Value) {
        // A token is refreshed after half of its life at the earliest.
        let due = (self.duration * 2.0 / LIFETIME.as_secs_f64()) as u64 + 1;
        let most = due + count(&bank["revocations"]) + count(&bank["token_faults"]);
        let requests = count(&bank["token_requests"]);
        self.must(requests <= most, || {
            format!("{requests} token requests, more than {most}")
        });
        let pauses = self.pauses.seconds;
        let longest = gaps(bank, self.duration).fold(0.0, f64::max);
        self.must(longest <= LONGEST_GAP + pauses, || {
            format!("{longest} s without a token")
        });
        let rejected = count(&bank["api_rejected"]);
        let most = (count(&bank["revocations"]) + self.pauses.count) * u64::from(CONCURRENCY);
        self.must(rejected <= most, || {
            format!("{rejected} rejections by the API, more than {most}")
        });
    }

    fn process(&mut self, call: &Ended, duration: Duration) {
        let done = call.code == Some(0) || call.code == Some(1);
        self.must(done, || {
            format!("exit status {:?}: {}", call.code, call.advice)
        });
        let warm_up = (duration / 4).min(Duration::from_secs(60));
        let warm: Vec<_> = call
            .looks
            .iter()
            .filter(|(at, _)| (warm_up..duration).contains(at))
            .copied()
            .collect();
        let Some(trend) = Trend::of(&warm) else {
            return self
                .wrong
                .push("too short to see whether memory grows".into());
        };
        println!(
            "  memory: {:.0} KiB to {:.0} KiB after {} s of warm-up, {:+.3} KiB/s",
            trend.start,
            trend.end,
            warm_up.as_secs(),
            trend.slope
        );
        self.must(trend.growth() <= GROWTH, || {
            format!("memory grew by {:.0} KiB", trend.growth())
        });
        let [threads, files] =
            [|look: &Look| look.threads, |look: &Look| look.files].map(|of| range(&warm, of));
        println!(
            "  threads: {} to {}, files: {} to {}",
            threads.0, threads.1, files.0, files.1
        );
        // An attempt at the token endpoint has a thread of its own, and there is one attempt at a time.
        self.must(threads.1 <= threads.0 + 1, || {
            format!("{threads:?} threads")
        });
        self.must(files.1 <= FILES, || {
            format!("{} files, more than {FILES}", files.1)
        });
    }
}

fn range(looks: &[(Duration, Look)], of: impl Fn(&Look) -> u64) -> (u64, u64) {
    let values = looks.iter().map(|(_, look)| of(look));
    (values.clone().min().unwrap_or(0), values.max().unwrap_or(0))
}

/// How often which status was answered, but for 200.
fn statuses(counts: &Value) -> BTreeMap<u16, u64> {
    let counts = counts.as_object().unwrap().iter();
    let statuses = counts.filter_map(|(name, value)| Some((name.parse().ok()?, count(value))));
    statuses.filter(|(status, _)| *status != 200).collect()
}

/// In seconds. An outage that is open at the end lasts until the last token request.
fn gaps(bank: &Value, duration: f64) -> impl Iterator<Item = f64> {
    let gaps = bank["without_token_s"].as_array().unwrap();
    gaps.iter().map(move |gap| {
        let [from, to] = [0, 1].map(|end| gap[end].as_f64().unwrap());
        (to.min(duration + 1.0) - from).max(0.0)
    })
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn sum(counts: &Value) -> u64 {
    counts.as_object().unwrap().values().map(count).sum()
}
