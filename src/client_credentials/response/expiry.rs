//! Reads when an answer's token ends, and computes its lifetime.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{Timestamp, civil::DateTime, tz::Offset};
use zeroize::Zeroizing;

use super::json::Value;
use crate::client_credentials::dialect::ExpiryFormat;

/// From here on, a plain number cannot be a lifetime: it is the time since 1970 in seconds, of 2017 or later.
const FIRST_EPOCH_SECOND: f64 = 1.5e9;
/// From here on, it can be no such time: it would be one of the year 5138 or later.
const FIRST_FAR_SECOND: f64 = 1e11;
/// From here on, it is the time since 1970 in milliseconds, of 2017 or later.
const FIRST_EPOCH_MILLISECOND: f64 = 1.5e12;
/// The first second of the year 10000. What lies beyond was meant otherwise.
const LAST_EPOCH_SECOND: f64 = 253_402_300_800.0;
const DAY: f64 = 86_400.0;
/// Two clocks further apart than this are worth a warning.
const TOLERATED_SKEW: Duration = Duration::from_secs(300);

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

/// Why a stated expiry makes no lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoLifetime {
    /// The life is over. It holds the rule that was broken, as the end of a sentence.
    Over(&'static str),
    Unreadable,
}

use NoLifetime::{Over, Unreadable};

impl ExpiryFormat {
    pub(super) fn read(self, stated: &Value<'_>) -> Result<Expiry, NoLifetime> {
        match self {
            Self::Ignored | Self::Jwt => Err(Unreadable),
            _ if stated.number().is_some_and(|number| number <= 0.0) => {
                Err(Over("is not above zero"))
            }
            Self::Auto => auto(stated),
            Self::Seconds => after(number(stated)?),
            Self::Minutes => after(number(stated)? * 60.0),
            Self::AutoLocal { utc_offset_minutes } => match date_and_time(stated) {
                Some(_) => local_time(stated, utc_offset_minutes),
                None => auto(stated),
            },
            Self::Milliseconds => after(number(stated)? / 1e3),
            Self::EpochSeconds => since_1970(number(stated)?),
            Self::Rfc3339 => rfc3339(stated),
            Self::LocalTime { utc_offset_minutes } => local_time(stated, utc_offset_minutes),
        }
    }
}

/// The claim `exp` of a JWT, unless it has none that can be read.
pub(super) fn of_jwt(token: &str) -> Result<Expiry, NoLifetime> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: f64,
    }
    let payload = token.split('.').nth(1).ok_or(Unreadable)?;
    let payload = Zeroizing::new(
        BASE64_URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| Unreadable)?,
    );
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Unreadable)?;
    match claims.exp > 0.0 {
        true => since_1970(claims.exp),
        false => Err(Over("is not above zero")),
    }
}

fn auto(stated: &Value<'_>) -> Result<Expiry, NoLifetime> {
    if date_and_time(stated).is_some() {
        return Err(Unreadable);
    }
    match number(stated) {
        Ok(number) if is_of_two_meanings(number) => Err(Unreadable),
        Ok(number) if number < FIRST_EPOCH_SECOND => after(number),
        Ok(number) if number < FIRST_FAR_SECOND => since_1970(number),
        Ok(number) if number < FIRST_EPOCH_MILLISECOND => Err(Unreadable),
        Ok(number) => since_1970(number / 1e3),
        Err(_) => rfc3339(stated),
    }
}

/// Whether a number may be a lifetime in milliseconds, or else one of more than a day in seconds, or a time since 1970.
/// The wrong guess would use a dead token for hours. A lifetime above a day is nearly always one of whole days, and a
/// time since 1970 is hardly ever one of whole hours in milliseconds (30 days are 2,592,000,000).
fn is_of_two_meanings(number: f64) -> bool {
    let is_whole = |unit: f64| number % unit == 0.0;
    let is_odd_lifetime = number < FIRST_EPOCH_SECOND && !is_whole(DAY);
    number > DAY && number < FIRST_FAR_SECOND && (is_odd_lifetime || is_whole(3600.0 * 1e3))
}

fn number(stated: &Value<'_>) -> Result<f64, NoLifetime> {
    let number = stated.number().filter(|number| number.is_finite());
    number.ok_or(Unreadable)
}

fn after(seconds: f64) -> Result<Expiry, NoLifetime> {
    let lifetime = Duration::try_from_secs_f64(seconds);
    lifetime.map(Expiry::In).map_err(|_| Unreadable)
}

fn since_1970(seconds: f64) -> Result<Expiry, NoLifetime> {
    if seconds >= LAST_EPOCH_SECOND {
        return Err(Unreadable);
    }
    Ok(Expiry::At(
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds),
    ))
}

fn rfc3339(stated: &Value<'_>) -> Result<Expiry, NoLifetime> {
    let at = timestamp(stated).ok_or(Unreadable)?;
    Ok(Expiry::At(at.into()))
}

fn local_time(stated: &Value<'_>, utc_offset_minutes: i16) -> Result<Expiry, NoLifetime> {
    if let Some(at) = timestamp(stated) {
        return Ok(Expiry::At(at.into()));
    }
    let time = date_and_time(stated).ok_or(Unreadable)?;
    let offset = Offset::from_seconds(i32::from(utc_offset_minutes) * 60);
    let at = offset.and_then(|offset| offset.to_timestamp(time));
    Ok(Expiry::At(at.map_err(|_| Unreadable)?.into()))
}

/// A moment with its offset from UTC.
fn timestamp(stated: &Value<'_>) -> Option<Timestamp> {
    text(stated).parse().ok()
}

/// A date and a time of day without one, punctuated or not.
fn date_and_time(stated: &Value<'_>) -> Option<DateTime> {
    let text = text(stated);
    let is_compact = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    match is_compact {
        true => DateTime::strptime("%Y%m%d%H%M%S", text).ok(),
        false if timestamp(stated).is_some() => None,
        false => text.parse().ok(),
    }
}

fn text<'a>(stated: &'a Value<'_>) -> &'a str {
    match stated {
        Value::Text(text) => text.trim(),
        Value::Bare(text) => text,
        Value::List { .. } | Value::Object { .. } => "",
    }
}

/// The setting that would read what could not be read, for a log.
pub(super) fn remedy(stated: &Value<'_>) -> &'static str {
    if date_and_time(stated).is_some() {
        "response.expiry_format = { local_time = { utc_offset_minutes = ... } }"
    } else if timestamp(stated).is_some() {
        "response.expiry_format = \"rfc3339\""
    } else if stated.number().is_some() {
        "response.expiry_format = \"seconds\", \"milliseconds\" or \"epoch_seconds\""
    } else {
        "response.expiry for a member of another name; response.expiry_format = \"ignored\" for none"
    }
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
    pub(super) fn lifetime(self, expiry: Expiry) -> Result<Duration, NoLifetime> {
        match expiry {
            Expiry::In(lifetime) => Some(lifetime),
            Expiry::At(moment) => self.until(moment),
        }
        .filter(|lifetime| !lifetime.is_zero())
        .ok_or(Over("has already passed"))
    }

    /// Whether the two clocks are so far apart that the difference is worth a warning.
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
    use super::{ExpiryFormat::*, *};

    fn at(epoch_seconds: f64) -> Result<Expiry, NoLifetime> {
        Ok(Expiry::At(
            SystemTime::UNIX_EPOCH + Duration::from_secs_f64(epoch_seconds),
        ))
    }

    fn after(seconds: f64) -> Result<Expiry, NoLifetime> {
        Ok(Expiry::In(Duration::from_secs_f64(seconds)))
    }

    const BRASILIA: ExpiryFormat = LocalTime {
        utc_offset_minutes: -180,
    };

    const AUTO_BRASILIA: ExpiryFormat = AutoLocal {
        utc_offset_minutes: -180,
    };

    #[test]
    fn a_jwt_says_when_it_ends() {
        // {"exp":1700000000}, no object, and no claim.
        assert_eq!(of_jwt("e30.eyJleHAiOjE3MDAwMDAwMDB9.sig"), at(1.7e9));
        for token in ["opaque", "a.b.c", "e30.e30.sig"] {
            assert_eq!(of_jwt(token), Err(Unreadable), "{token}");
        }
    }

    fn check(cases: &[(ExpiryFormat, &str, Result<Expiry, NoLifetime>)]) {
        for (format, json, expected) in cases {
            let stated = Value::of(json.as_bytes());
            assert_eq!(format.read(&stated), *expected, "{format:?} {json}");
        }
    }

    #[test]
    fn every_form_of_expiry() {
        check(&[
            (Auto, "3600", after(3600.0)),
            (Auto, r#""3600""#, after(3600.0)),
            (Auto, r#"" 3600\n""#, after(3600.0)),
            (Auto, "3599.5", after(3599.5)),
            (Auto, "315360000", after(315_360_000.0)),
            (Auto, "1500000000", at(1.5e9)),
            (Auto, r#""1700000000""#, at(1.7e9)),
            (Auto, "1700000000000", at(1.7e9)),
            // What some servers write for "never".
            (Auto, "4102444800", at(4_102_444_800.0)),
            (Auto, "9999999999", at(9_999_999_999.0)),
            (Auto, "99999999999999", at(99_999_999_999.999)),
            (Auto, r#""2023-11-14T22:13:20.000Z""#, at(1.7e9)),
            (Auto, r#""2023-11-14T19:13:20-03:00""#, at(1.7e9)),
            (Auto, r#""2023-11-14T19:13:20-0300""#, at(1.7e9)),
            (Seconds, "2000000000", after(2e9)),
            (Seconds, "3600000", after(3.6e6)),
            (Milliseconds, "3600000", after(3600.0)),
            (Milliseconds, r#""500""#, after(0.5)),
            (EpochSeconds, r#""1700000000""#, at(1.7e9)),
            (Minutes, "20", after(1200.0)),
            (AUTO_BRASILIA, r#""2023-11-14T19:13:20""#, at(1.7e9)),
            (AUTO_BRASILIA, r#""2023-11-14T22:13:20Z""#, at(1.7e9)),
            (AUTO_BRASILIA, "1199", after(1199.0)),
            (Rfc3339, r#""2023-11-14T22:13:20Z""#, at(1.7e9)),
            (BRASILIA, r#""2023-11-14T19:13:20""#, at(1.7e9)),
            (BRASILIA, r#""2023-11-14 19:13:20.500""#, at(1.7e9 + 0.5)),
            (BRASILIA, r#""20231114191320""#, at(1.7e9)),
            (BRASILIA, "20231114191320", at(1.7e9)),
            // What says its offset needs no other.
            (BRASILIA, r#""2023-11-14T22:13:20Z""#, at(1.7e9)),
            (BRASILIA, r#""2023-11-15T00:13:20+02:00""#, at(1.7e9)),
        ]);
    }

    #[test]
    fn zero_and_less_is_over_in_every_format() {
        for format in [Auto, Seconds, Milliseconds, EpochSeconds, Rfc3339, BRASILIA] {
            for json in ["0", "-1", r#""0""#, r#""-3600""#, "-0.0", "-1e400"] {
                check(&[(format, json, Err(Over("is not above zero")))]);
            }
        }
    }

    #[test]
    fn what_makes_no_sense_cannot_be_read() {
        for format in [Auto, Seconds, Milliseconds, EpochSeconds, Rfc3339, BRASILIA] {
            for json in [
                r#""""#,
                r#"" ""#,
                r#""soon""#,
                r#""NaN""#,
                r#""inf""#,
                r#""1h""#,
                "true",
                "[3600]",
                "{}",
                "1e30",
                "1e400",
                "NaN",
                r#""23/07/2018 11:29:32""#,
            ] {
                check(&[(format, json, Err(Unreadable))]);
            }
        }
        check(&[
            (Seconds, r#""2023-11-14T22:13:20Z""#, Err(Unreadable)),
            (Rfc3339, "3600", Err(Unreadable)),
            (BRASILIA, "3600", Err(Unreadable)),
            (BRASILIA, r#""9999-12-31T23:59:59""#, Err(Unreadable)),
            // Milliseconds where seconds are meant, microseconds, nanoseconds.
            (EpochSeconds, "1700000000000", Err(Unreadable)),
            (Auto, "1700000000000000", Err(Unreadable)),
            (Auto, "1700000000000000000", Err(Unreadable)),
            // A date in digits without seconds or century, the last second of the year 9999, one of 2001.
            (Auto, "201807231129", Err(Unreadable)),
            (Auto, r#""180723112932""#, Err(Unreadable)),
            (Auto, "253402300799", Err(Unreadable)),
            (Auto, "1000000000", Err(Unreadable)),
            (Auto, "1000000000000", Err(Unreadable)),
        ]);
    }

    #[test]
    fn a_date_without_an_offset_is_nothing_to_go_by() {
        for json in [
            r#""2018-07-23T11:29:32""#,
            r#""2018-07-23T11:29:32.000""#,
            r#""2018-07-23 11:29:32""#,
            r#""2018-07-23 11:29""#,
            r#""2018-07-23""#,
            r#""20180723112932""#,
            "20180723112932",
            r#""20330723T112932""#,
        ] {
            check(&[(Auto, json, Err(Unreadable))]);
            let remedy = remedy(&Value::of(json.as_bytes()));
            assert!(remedy.contains("local_time"), "{json}: {remedy}");
        }
    }

    #[test]
    fn milliseconds_are_not_taken_for_more_than_a_day() {
        for (minutes, json) in [
            (2, "120000"),
            (5, "300000"),
            (15, "900000"),
            (30, r#""1800000""#),
            (60, "3600000"),
            (60, "3599873"),
            (180, "10800000"),
            (360, "21600000"),
            (720, "43200000"),
            (1439, "86340000"),
            (1440, "86400000"),
            (1500, "90000000"),
            (2880, "172800000"),
            (2880, "172799990"),
            (20_160, "1209600000"),
            (25_920, "1555200000"),
            (30_240, "1814400000"),
            (43_200, "2592000000"),
            (43_200, r#""2592000000""#),
            (129_600, "7776000000"),
            (525_600, "31536000000"),
        ] {
            check(&[(Auto, json, Err(Unreadable))]);
            let Ok(Expiry::In(lifetime)) = Milliseconds.read(&Value::of(json.as_bytes())) else {
                panic!("{json}");
            };
            assert_eq!(lifetime.as_millis().div_ceil(60_000), minutes, "{json}");
            let remedy = remedy(&Value::of(json.as_bytes()));
            assert!(remedy.contains("milliseconds"), "{json}: {remedy}");
        }
        for days in [1_u32, 2, 7, 14, 30, 60, 90, 180, 365] {
            let seconds = (days * 86_400).to_string();
            check(&[(Auto, &seconds, after(f64::from(days) * DAY))]);
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
            (None, 10_000, Err(Over("has already passed"))),
            (None, 10_001, Err(Over("has already passed"))),
            // The same clock: `Date` may be a second old.
            (Some(6_400), 6_400, seconds(3_599)),
            // Ours is an hour ahead, and would let no token live.
            (Some(6_400), 10_000, seconds(3_599)),
            // Ours is an hour behind, and would let it live too long.
            (Some(6_400), 2_800, seconds(3_599)),
            // Theirs is behind.
            (Some(2_800), 6_400, seconds(3_600)),
            (Some(9_999), 10_000, Err(Over("has already passed"))),
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
