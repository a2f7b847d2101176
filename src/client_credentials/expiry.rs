//! How an answer says when its token ends, and the lifetime that this makes.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, civil::DateTime, tz::Offset};
use serde_json::Value;

/// From here on, a plain number cannot be a lifetime: it is the time since 1970 in seconds.
const FIRST_EPOCH_SECOND: f64 = 1e9;
/// From here on, it is the time since 1970 in milliseconds.
const FIRST_EPOCH_MILLISECOND: f64 = 1e11;
/// Two clocks further apart than this are worth a warning.
const TOLERATED_SKEW: Duration = Duration::from_secs(300);

/// How an answer says when its token ends. A number may be quoted and may have a fraction.
///
/// In configuration: `"auto"`, `"seconds"`, `"epoch_seconds"`, `"rfc3339"` or
/// `{ local_time = { utc_offset_minutes = -180 } }`.
///
/// # Examples
///
/// ```
/// use tower_oauth::client_credentials::{ExpiryFormat, ResponseFields};
///
/// let fields: ResponseFields = toml::from_str("expiry_format = { local_time = { utc_offset_minutes = -180 } }")?;
/// assert_eq!(fields.expiry_format, ExpiryFormat::LocalTime { utc_offset_minutes: -180 });
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpiryFormat {
    /// A number below 1e9 is a lifetime in seconds; from 1e9 it is the time since 1970 in seconds, from 1e11 in
    /// milliseconds; anything else is RFC 3339. For servers whose documentation and behaviour differ, such as Bankly's.
    /// Not for lifetimes above 31 years, nor in milliseconds.
    #[default]
    Auto,
    /// The lifetime in seconds (RFC 6749 §5.1).
    Seconds,
    /// The moment of expiry in seconds since 1970 (Serasa).
    EpochSeconds,
    /// The moment of expiry with its offset from UTC (FitBank).
    Rfc3339,
    /// The moment of expiry as a date and a time of day that do not say their offset (Correios).
    LocalTime {
        /// The offset from UTC that is meant: -180 for Brasília.
        utc_offset_minutes: i16,
    },
}

/// What an answer said: how long, or until when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Expiry {
    In(Duration),
    At(SystemTime),
}

impl Expiry {
    pub(super) fn is_moment(self) -> bool {
        matches!(self, Self::At(_))
    }
}

/// The rule that an answer's expiry broke, as the end of a sentence.
type Broken = &'static str;

impl ExpiryFormat {
    pub(super) fn read(self, value: &Value) -> Result<Expiry, Broken> {
        match self {
            Self::Auto => auto(value),
            Self::Seconds => seconds(number(value)?),
            Self::EpochSeconds => since_1970(number(value)?),
            Self::Rfc3339 => rfc3339(value),
            Self::LocalTime { utc_offset_minutes } => local_time(value, utc_offset_minutes),
        }
    }
}

fn auto(value: &Value) -> Result<Expiry, Broken> {
    match number(value) {
        Ok(number) if number < FIRST_EPOCH_SECOND => seconds(number),
        Ok(number) if number < FIRST_EPOCH_MILLISECOND => since_1970(number),
        Ok(number) => since_1970(number / 1e3),
        Err(_) => rfc3339(value),
    }
}

fn number(value: &Value) -> Result<f64, Broken> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
    .ok_or("is not a number")
}

fn seconds(number: f64) -> Result<Expiry, Broken> {
    if number <= 0.0 {
        return Err("is not above zero");
    }
    // What overflows is far beyond any bound on a lifetime.
    Ok(Expiry::In(
        Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX),
    ))
}

fn since_1970(number: f64) -> Result<Expiry, Broken> {
    Duration::try_from_secs_f64(number)
        .ok()
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .map(Expiry::At)
        .ok_or("is out of range")
}

fn rfc3339(value: &Value) -> Result<Expiry, Broken> {
    let at: Option<Timestamp> = text(value).parse().ok();
    Ok(Expiry::At(at.ok_or("is no known form of expiry")?.into()))
}

fn local_time(value: &Value, utc_offset_minutes: i16) -> Result<Expiry, Broken> {
    let time: DateTime = text(value).parse().map_err(|_| "is no date and time")?;
    let offset = Offset::from_seconds(i32::from(utc_offset_minutes) * 60);
    let at = offset.and_then(|offset| offset.to_timestamp(time));
    Ok(Expiry::At(at.map_err(|_| "is out of range")?.into()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim()
}

/// The two clocks that a time stamp can be read by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    /// Ours, just before the request was sent.
    pub(super) local: SystemTime,
    /// The server's, from the answer's `Date`.
    pub(super) remote: Option<SystemTime>,
}

impl Clocks {
    /// The lifetime, counted from just before the request was sent.
    pub(super) fn lifetime(self, expiry: Expiry) -> Result<Duration, Broken> {
        match expiry {
            Expiry::In(lifetime) => Some(lifetime),
            Expiry::At(moment) => self.until(moment),
        }
        .filter(|lifetime| !lifetime.is_zero())
        .ok_or("has already passed")
    }

    /// Whether the two clocks are so far apart that somebody should look.
    pub(super) fn disagree(self) -> bool {
        self.remote
            .is_some_and(|remote| distance(self.local, remote) > TOLERATED_SKEW)
    }

    /// The shorter of the two views that leave the token any life: a token used for too short a time costs one fetch
    /// more, one used for too long costs requests.
    fn until(self, moment: SystemTime) -> Option<Duration> {
        // `Date` is cut to whole seconds, so the server's clock may be up to a second ahead of it.
        let remote = self.remote.map(|remote| remote + Duration::from_secs(1));
        [Some(self.local), remote]
            .into_iter()
            .flatten()
            .filter_map(|now| moment.duration_since(now).ok())
            .filter(|lifetime| !lifetime.is_zero())
            .min()
    }
}

fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ExpiryFormat::*, *};

    fn at(epoch_seconds: f64) -> Result<Expiry, Broken> {
        Ok(Expiry::At(
            SystemTime::UNIX_EPOCH + Duration::from_secs_f64(epoch_seconds),
        ))
    }

    fn after(seconds: f64) -> Result<Expiry, Broken> {
        Ok(Expiry::In(Duration::from_secs_f64(seconds)))
    }

    #[test]
    fn every_form_of_expiry() {
        let brasilia = LocalTime {
            utc_offset_minutes: -180,
        };
        for (format, value, expected) in [
            (Auto, json!(3600), after(3600.0)),
            (Auto, json!("3600"), after(3600.0)),
            (Auto, json!(" 3600 "), after(3600.0)),
            (Auto, json!(3599.5), after(3599.5)),
            (Auto, json!(999_999_999), after(999_999_999.0)),
            (Auto, json!(1_000_000_000), at(1e9)),
            (Auto, json!("1700000000"), at(1.7e9)),
            (Auto, json!(1_700_000_000_000_u64), at(1.7e9)),
            (Auto, json!("2023-11-14T22:13:20.000Z"), at(1.7e9)),
            (Auto, json!("2023-11-14T19:13:20-03:00"), at(1.7e9)),
            (Auto, json!(0), Err("is not above zero")),
            (Auto, json!(-1), Err("is not above zero")),
            (Auto, json!("-3600"), Err("is not above zero")),
            (Auto, json!(1e300), Err("is out of range")),
            (Auto, json!("soon"), Err("is no known form of expiry")),
            (Auto, json!("NaN"), Err("is no known form of expiry")),
            (Auto, json!("inf"), Err("is no known form of expiry")),
            (Auto, json!(""), Err("is no known form of expiry")),
            (Auto, json!(true), Err("is no known form of expiry")),
            (Auto, json!([3600]), Err("is no known form of expiry")),
            (Auto, json!({}), Err("is no known form of expiry")),
            (Seconds, json!(2_000_000_000), after(2e9)),
            (Seconds, json!(1e300), Ok(Expiry::In(Duration::MAX))),
            (
                Seconds,
                json!("2023-11-14T22:13:20Z"),
                Err("is not a number"),
            ),
            (EpochSeconds, json!("1700000000"), at(1.7e9)),
            (EpochSeconds, json!(-1), Err("is out of range")),
            (Rfc3339, json!("2023-11-14T22:13:20Z"), at(1.7e9)),
            (Rfc3339, json!(3600), Err("is no known form of expiry")),
            (brasilia, json!("2023-11-14T19:13:20"), at(1.7e9)),
            (brasilia, json!("2023-11-14 19:13:20.500"), at(1.7e9 + 0.5)),
            (
                brasilia,
                json!("2023-11-14T22:13:20Z"),
                Err("is no date and time"),
            ),
            (
                brasilia,
                json!("9999-12-31T23:59:59"),
                Err("is out of range"),
            ),
        ] {
            assert_eq!(format.read(&value), expected, "{format:?} {value}");
        }
    }

    fn moment(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_time_stamp_lives_by_the_stricter_clock_that_gives_it_any_life() {
        let seconds = |seconds| Ok(Duration::from_secs(seconds));
        for (remote, local, expected) in [
            (None, 6_400, seconds(3_600)),
            (None, 10_000, Err("has already passed")),
            (None, 10_001, Err("has already passed")),
            // The same clock: `Date` may be a second old.
            (Some(6_400), 6_400, seconds(3_599)),
            // Ours is an hour ahead, and would let no token live.
            (Some(6_400), 10_000, seconds(3_599)),
            // Ours is an hour behind, and would let it live too long.
            (Some(6_400), 2_800, seconds(3_599)),
            // Theirs is behind.
            (Some(2_800), 6_400, seconds(3_600)),
            (Some(9_999), 10_000, Err("has already passed")),
        ] {
            let clocks = Clocks {
                local: moment(local),
                remote: remote.map(moment),
            };
            let lifetime = clocks.lifetime(Expiry::At(moment(10_000)));
            assert_eq!(lifetime, expected, "{remote:?} {local}");
        }
    }

    #[test]
    fn clocks_five_minutes_apart_agree_and_a_second_more_does_not() {
        let clocks = |remote| Clocks {
            local: moment(10_000),
            remote: Some(moment(remote)),
        };
        assert!(!clocks(10_300).disagree());
        assert!(!clocks(9_700).disagree());
        assert!(clocks(10_301).disagree());
        assert!(clocks(9_699).disagree());
    }
}
