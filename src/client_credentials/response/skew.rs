//! Names the clock in an error when it may be why an assertion was denied.

use std::time::SystemTime;

use super::{answer::Answer, retry_after};
use crate::{
    FetchError,
    client_credentials::dialect::{Dialect, Proof},
};

/// What servers allow for, in seconds; Open Finance Brasil is among them.
const ALLOWED: u64 = 60;

const SET_CLOCK: &str =
    "Set this machine's clock: the token endpoint checks the times of the assertion";

/// Adds how far the clocks are apart to a denial that may be about the times of an assertion.
pub(super) fn blame_clock(
    error: FetchError,
    dialect: &Dialect,
    answer: &Answer,
    now: SystemTime,
    code: Option<&str>,
) -> FetchError {
    let may_be_times = match code {
        Some(code) => ["invalid_client", "invalid_grant"].contains(&code),
        None => [400, 401, 403].contains(&answer.status.as_u16()),
    };
    let remote = retry_after::date(&answer.headers);
    match remote.and_then(|remote| remark(now, remote)) {
        Some(remark) if may_be_times && dialect.proof() == Proof::Assertion => {
            error.with_remark(&remark).with_advice(SET_CLOCK)
        }
        _ => error,
    }
}

fn remark(local: SystemTime, remote: SystemTime) -> Option<String> {
    let (apart, side) = match local.duration_since(remote) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let seconds = apart.as_secs();
    (seconds > ALLOWED)
        .then(|| format!("this machine's clock is {seconds} s {side} the token endpoint's"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn more_than_a_minute_is_said_to_the_second() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(remark(at(1000), at(1060)), None);
        assert_eq!(remark(at(1060), at(1000)), None);
        assert_eq!(
            remark(at(1061), at(1000)).unwrap(),
            "this machine's clock is 61 s ahead of the token endpoint's"
        );
        assert_eq!(
            remark(at(1000), at(4600)).unwrap(),
            "this machine's clock is 3600 s behind the token endpoint's"
        );
    }
}
