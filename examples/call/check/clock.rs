//! This machine's clock, against the server's `Date`.

use std::time::{Duration, SystemTime};

use tower_oauth::BoxError;

use super::{head::HeadAnswer, step::Finding};

/// `Date` is cut to a second, and an answer takes its time.
const TOLERATED: Duration = Duration::from_secs(30);

pub(super) fn compare(answer: Result<HeadAnswer, BoxError>) -> Finding {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            return Finding::skipped(format!("the server did not answer `HEAD /`: {error}"));
        }
    };
    match answer.date {
        Some(date) => off(answer.at, date),
        None => Finding::skipped("the server's answer to `HEAD /` has no `Date`"),
    }
}

fn off(here: SystemTime, there: SystemTime) -> Finding {
    let (by, which) = match here.duration_since(there) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    let seconds = by.as_secs();
    let finding = match by <= TOLERATED {
        true => Finding::ok(format!("within {seconds} s of the server's `Date`")),
        false => Finding::warning(
            format!("this machine is {seconds} s {which} the server's `Date`"),
            "Set this machine's clock by NTP: signed assertions and certificates depend on it. If it is right, the server's is wrong.",
        ),
    };
    let sign = if which == "behind" { -1.0 } else { 1.0 };
    finding.fact("ahead_s", sign * by.as_secs_f64())
}
