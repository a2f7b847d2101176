//! Limits the fetches that rejections cause.

use std::time::Duration;

use crate::{policy::Policy, token::Generation};

/// Draws for fetches because of definite rejections: a burst, refilled by time.
#[derive(Debug)]
pub(crate) struct Bucket {
    left: u32,
    size: u32,
    refill: Duration,
    /// Up to when refills have been counted, on the monotonic clock.
    counted: Duration,
}

impl Bucket {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            left: policy.rejection.burst,
            size: policy.rejection.burst,
            refill: policy.rejection.refill,
            counted: Duration::ZERO,
        }
    }

    pub(crate) fn draw(&mut self, now: Duration) -> bool {
        self.count_refills(now);
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }

    /// For a fetch that failed: the back-off already limits it, and one limit is enough.
    pub(crate) fn give_back(&mut self) {
        self.left = (self.left + 1).min(self.size);
    }

    fn count_refills(&mut self, now: Duration) {
        let earned = now.saturating_sub(self.counted).as_nanos() / self.refill.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(self.size);
        self.counted = if self.left == self.size {
            now
        } else {
            self.counted + self.refill * earned
        };
    }
}

/// Doubt whether rejections are the token's fault: it was fetched because of a rejection, and that may not have helped.
#[derive(Debug)]
pub(crate) struct Suspicion {
    pub(crate) generation: Generation,
    /// The token has been rejected too. Its rejections cause only one fetch after each quiet wait.
    confirmed: bool,
    wait: Duration,
    /// The start of the current wait, on the monotonic clock.
    since: Duration,
}

impl Suspicion {
    /// A token fetched because of an ambiguous rejection is on probation.
    pub(crate) fn probation(generation: Generation, wait: Duration) -> Self {
        Self {
            generation,
            confirmed: false,
            wait,
            since: Duration::ZERO,
        }
    }

    /// A token that came back unchanged from a fetch because of its rejection needs no probation.
    pub(crate) fn confirmed(generation: Generation, wait: Duration, now: Duration) -> Self {
        Self {
            generation,
            confirmed: true,
            wait,
            since: now,
        }
    }

    /// A refresh for another reason changes nothing: the new token is as doubtful as the old one.
    pub(crate) fn inherited_by(self, generation: Generation) -> Self {
        Self { generation, ..self }
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    pub(crate) fn wait(&self) -> Duration {
        self.wait
    }

    /// Records a rejection, and returns whether it may start a fetch. `last_success` is when a request with this token
    /// last succeeded, if one did.
    pub(crate) fn rejected(
        &mut self,
        now: Duration,
        last_success: Duration,
        policy: &Policy,
    ) -> bool {
        if !self.confirmed {
            self.confirmed = true;
            self.since = now;
            return false;
        }
        if last_success > self.since {
            // The token works for other requests, so the API rejects the request itself. From now on only a long time
            // without a success counts as a revocation.
            self.since = last_success;
            self.wait = policy.rejection.suspicion.max;
        }
        if now < self.since + self.wait {
            return false;
        }
        self.since = now;
        self.wait = policy.rejection.suspicion.doubled(self.wait);
        true
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_bucket_gives_three_and_one_more_every_twenty_seconds() {
        let mut bucket = Bucket::new(&Policy::default());
        let draws: Vec<_> = (0..5).map(|_| bucket.draw(secs(100))).collect();
        assert_eq!(draws, [true, true, true, false, false]);
        assert!(!bucket.draw(secs(119)));
        assert!(bucket.draw(secs(120)));
        assert!(!bucket.draw(secs(139)));
        assert!(bucket.draw(secs(140)));
    }

    #[test]
    fn a_draw_given_back_never_overfills() {
        let mut bucket = Bucket::new(&Policy::default());
        assert!(bucket.draw(secs(1)));
        bucket.give_back();
        bucket.give_back();
        let draws: Vec<_> = (0..4).map(|_| bucket.draw(secs(1))).collect();
        assert_eq!(draws, [true, true, true, false]);
    }

    #[test]
    fn a_suspect_is_tried_again_after_waits_that_double() {
        let policy = Policy::default();
        let mut suspicion = Suspicion::probation(Generation(2), policy.rejection.suspicion.first);
        let rejected_at = [0, 1, 30, 31, 89, 90, 209, 210];
        let fetches: Vec<_> = rejected_at
            .iter()
            .filter(|at| suspicion.rejected(secs(**at), secs(0), &policy))
            .collect();
        assert_eq!(fetches, [&30, &90, &210]);
    }

    #[test]
    fn successes_put_the_next_try_off_until_they_stop() {
        let policy = Policy::default();
        let mut suspicion =
            Suspicion::confirmed(Generation(2), policy.rejection.suspicion.first, secs(10));
        assert!(!suspicion.rejected(secs(45), secs(40), &policy));
        assert!(!suspicion.rejected(secs(159), secs(40), &policy));
        assert!(suspicion.rejected(secs(160), secs(40), &policy));
    }
}
