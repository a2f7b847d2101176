//! Durations in configuration, as people write them: `"90s"`, `"5m"`, `"1h 30m"`.

use std::{fmt, time::Duration};

use jiff::SignedDuration;
use serde::{
    Deserializer, Serializer,
    de::{self, Unexpected},
    ser,
};

pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let signed = SignedDuration::try_from(*duration).map_err(ser::Error::custom)?;
    serializer.collect_str(&format_args!("{signed:#}"))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(Words)
}

/// The nanoseconds, at most the largest number.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The milliseconds, at most the largest number.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as it is written in configuration.
pub(crate) fn words(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |it| format!("{it:#}"))
}

pub(crate) fn parse(text: &str) -> Option<Duration> {
    let signed: SignedDuration = text.parse().ok()?;
    signed.try_into().ok()
}

struct Words;

impl de::Visitor<'_> for Words {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a duration with its units, such as "90s", "5m" or "1h 30m""#)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// For an optional field.
#[cfg(feature = "client-credentials")]
pub(crate) mod option {
    use super::{Deserializer, Duration, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Duration, serde_json::Error> {
        deserialize(&mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn durations_are_words_with_units() {
        assert_eq!(read(r#""5m""#).unwrap(), Duration::from_secs(300));
        assert_eq!(read(r#""1h 30m""#).unwrap(), Duration::from_secs(5400));
        assert_eq!(read(r#""250ms""#).unwrap(), Duration::from_millis(250));
        for wrong in [r#""-5m""#, r#""-1ns""#, r#""5""#, "5", r#""""#, r#""soon""#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut text = Vec::new();
        serialize(
            &Duration::from_millis(90_250),
            &mut serde_json::Serializer::new(&mut text),
        )
        .unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            read(&text).unwrap(),
            Duration::from_millis(90_250),
            "{text}"
        );
    }
}
