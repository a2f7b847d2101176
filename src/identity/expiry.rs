//! When to warn that a certificate ends.

use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Days before the end. Zero stands for a certificate that has expired.
const MARKS: [u32; 6] = [0, 1, 3, 7, 14, 30];

/// The warnings about one certificate: one at each mark, and one a day after the end.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    last: Option<Warned>,
}

#[derive(Debug)]
struct Warned {
    mark: u32,
    at: SystemTime,
}

impl Warnings {
    /// Whether a warning is due now. It counts as given.
    pub(super) fn is_due(&mut self, not_after: SystemTime, now: SystemTime) -> bool {
        let left = not_after.duration_since(now).unwrap_or_default();
        let Some(mark) = MARKS.into_iter().find(|mark| left <= DAY * *mark) else {
            self.last = None;
            return false;
        };
        let is_due = match &self.last {
            None => true,
            Some(warned) if mark < warned.mark => true,
            // An hour that is set back must not silence it.
            Some(warned) => mark == 0 && now.duration_since(warned.at).is_ok_and(|it| it >= DAY),
        };
        if is_due {
            self.last = Some(Warned { mark, at: now });
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn it_warns_at_five_marks_and_daily_after_the_end() {
        let end = UNIX_EPOCH + DAY * 100;
        let hours = |hours: u32| UNIX_EPOCH + DAY / 24 * hours;
        let mut warnings = Warnings::default();
        let due: Vec<_> = (0..24 * 103)
            .filter(|hour| warnings.is_due(end, hours(*hour)))
            .map(|hour| (2400 - i64::from(hour)) as f64 / 24.0)
            .collect();
        assert_eq!(due, [30.0, 14.0, 7.0, 3.0, 1.0, 0.0, -1.0, -2.0]);
    }

    #[test]
    fn a_start_between_two_marks_warns_at_once_and_a_new_certificate_ends_it() {
        let (now, end) = (UNIX_EPOCH + DAY * 80, UNIX_EPOCH + DAY * 100);
        let mut warnings = Warnings::default();
        assert!(warnings.is_due(end, now));
        assert!(!warnings.is_due(end, now + DAY));
        assert!(!warnings.is_due(end + DAY * 365, now + DAY));
        assert!(warnings.is_due(end, now + DAY));
    }
}
