//! The rate of a token endpoint.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::error_answer::ErrorAnswer;

/// At most so many requests in any window of so long. Requests over the rate do not count.
#[derive(Debug)]
pub(super) struct TokenRate {
    most: usize,
    per: Duration,
    /// When the requests within the last window came, the oldest first.
    accepted: VecDeque<Instant>,
}

impl TokenRate {
    pub(super) fn new(most: usize, per: Duration) -> Self {
        Self {
            most,
            per,
            accepted: VecDeque::new(),
        }
    }

    /// Accepts a request, or returns the answer to one over the rate.
    pub(super) fn check(&mut self, now: Instant) -> Result<(), ErrorAnswer> {
        let is_past = |at: &Instant| now.saturating_duration_since(*at) >= self.per;
        while self.accepted.front().is_some_and(is_past) {
            self.accepted.pop_front();
        }
        if self.accepted.len() < self.most {
            self.accepted.push_back(now);
            return Ok(());
        }
        let oldest = self.accepted.front().copied().unwrap_or(now);
        let wait = (oldest + self.per).saturating_duration_since(now);
        let (most, per) = (self.most, self.per);
        let reason = format!("more token requests than the rate: {most} per {per:?}");
        Err(ErrorAnswer::too_many_requests(reason, wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_window_has_more_than_the_rate() {
        let start = Instant::now();
        let mut rate = TokenRate::new(2, Duration::from_secs(10));
        let mut accepts = |second| {
            let at = start + Duration::from_secs(second);
            rate.check(at).is_ok()
        };
        let accepted: Vec<_> = (0..=30).filter(|&second| accepts(second)).collect();
        assert_eq!(accepted, [0, 1, 10, 11, 20, 21, 30]);
        let mut bursts = TokenRate::new(2, Duration::from_secs(10));
        let mut accepts = |second| bursts.check(start + Duration::from_secs(second)).is_ok();
        // The window slides: ten seconds from any moment, and not from the first request on.
        assert!(accepts(0) && accepts(9) && accepts(10));
        assert!(!accepts(18) && accepts(19) && !accepts(19) && accepts(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_none_accepts_none() {
        let mut rate = TokenRate::new(0, Duration::from_secs(10));
        assert!(rate.check(Instant::now()).is_err());
    }
}
