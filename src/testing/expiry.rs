use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// How a bank writes the `expires_in` of its answers. It does not change how long a token is valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpiresIn {
    /// Whole seconds as a number: `3600`.
    #[default]
    Seconds,
    /// Whole seconds as a string: `"3600"`.
    Text,
    /// The moment of expiry as RFC 3339 in milliseconds, as Bankly's field table has it: `"2026-01-31T12:00:00.000Z"`.
    Timestamp,
    /// The moment of expiry in seconds since 1970: `1769860800`.
    Epoch,
    /// The moment of expiry in milliseconds since 1970: `1769860800000`.
    EpochMillis,
    /// No `expires_in` at all.
    Absent,
    /// Any JSON, written as it is given: `-1`, `null`, `1e400`, `"soon"`.
    Raw(String),
}

impl ExpiresIn {
    /// The member's JSON, for a token that has `left` to live at the time of day `wall`.
    pub(super) fn json(&self, left: Duration, wall: SystemTime) -> Option<String> {
        Some(match self {
            Self::Seconds => left.as_secs().to_string(),
            Self::Text => format!("\"{}\"", left.as_secs()),
            Self::Timestamp => format!("\"{:.3}\"", expiry(left, wall)),
            Self::Epoch => expiry(left, wall).as_second().to_string(),
            Self::EpochMillis => expiry(left, wall).as_millisecond().to_string(),
            Self::Absent => return None,
            Self::Raw(json) => json.clone(),
        })
    }
}

/// A lifetime beyond the calendar expires on its last day.
fn expiry(left: Duration, wall: SystemTime) -> Timestamp {
    wall.checked_add(left)
        .and_then(|at| Timestamp::try_from(at).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_says_the_same_moment() {
        let hour = Duration::from_secs(3600);
        let json = |style: ExpiresIn| style.json(hour, SystemTime::UNIX_EPOCH);
        assert_eq!(json(ExpiresIn::Seconds).unwrap(), "3600");
        assert_eq!(json(ExpiresIn::Text).unwrap(), r#""3600""#);
        assert_eq!(
            json(ExpiresIn::Timestamp).unwrap(),
            r#""1970-01-01T01:00:00.000Z""#
        );
        assert_eq!(json(ExpiresIn::Epoch).unwrap(), "3600");
        assert_eq!(json(ExpiresIn::EpochMillis).unwrap(), "3600000");
        assert_eq!(json(ExpiresIn::Raw("1e400".into())).unwrap(), "1e400");
        assert_eq!(json(ExpiresIn::Absent), None);
    }

    #[test]
    fn a_life_without_end_has_a_time_stamp_all_the_same() {
        let endless = ExpiresIn::Timestamp.json(Duration::MAX, SystemTime::UNIX_EPOCH);
        assert!(endless.unwrap().starts_with("\"9999-12-30"));
    }
}
