//! Durations in configuration, as people write them: `"90s"`, `"5m"`, `"1h 30m"`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serializer, de, ser};

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
    let text = String::deserialize(deserializer)?;
    let signed: SignedDuration = text.parse().map_err(de::Error::custom)?;
    Duration::try_from(signed).map_err(de::Error::custom)
}

/// For a field that may be left out.
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
