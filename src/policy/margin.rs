//! How long before a token's expiry its refresh begins.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Unexpected, value::MapAccessDeserializer},
};

use crate::{duration, error::ConfigError, table::Table};

const SHAPE: &str = r#"`refresh_margin = "5m"`, `"20%"`, `refresh_margin = { fixed = "5m" }` or `{ fraction = 0.2 }`"#;

/// How long before its expiry a token is refreshed: a time, or a part of its lifetime. It is never more than half of
/// the lifetime.
///
/// In configuration: `"5m"` or `{ fixed = "5m" }`, `"20%"` or `{ fraction = 0.2 }`.
///
/// # Examples
///
/// ```
/// use std::{fmt, time::Duration};
/// use tower_oauth::Margin;
///
/// let avista = Margin::Fixed(Duration::from_secs(300));
/// let conta_simples = Margin::Fraction(0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Margin {
    /// The same time for every token. Use it if the provider names one. Do not use it if tokens may be short-lived: a
    /// margin of 5 minutes refreshes a token of 300 s at half of its life.
    Fixed(Duration),
    /// A part of the token's lifetime: above 0, at most 0.5.
    Fraction(f64),
}

impl Margin {
    /// A margin must leave at least half of the lifetime. `lifetime` is the provider's, if it is known.
    pub(crate) fn check(
        self,
        field: &'static str,
        lifetime: Option<Duration>,
    ) -> Result<(), ConfigError> {
        let rule = match (self, lifetime) {
            (Self::Fixed(Duration::ZERO), _) => "must be longer than zero",
            (Self::Fixed(margin), Some(lifetime)) if margin > lifetime / 2 => {
                "must not be longer than half of the lifetime"
            }
            (Self::Fraction(part), _) if !(part > 0.0 && part <= 0.5) => {
                "must be above 0 and at most 0.5 of the lifetime"
            }
            _ => return Ok(()),
        };
        Err(match self {
            Self::Fixed(margin) => {
                ConfigError::new(field, rule).given_value(&duration::words(margin))
            }
            Self::Fraction(part) => ConfigError::new(field, rule).given_value(&part),
        })
    }
}

/// The form as a table. It is also the written form, because a percentage cannot state every fraction exactly.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Margin", rename_all = "snake_case")]
enum Keys {
    Fixed(#[serde(with = "duration")] Duration),
    Fraction(f64),
}

impl Serialize for Margin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Keys::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Margin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Margin;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHAPE)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Margin, E> {
        let margin = match text.strip_suffix('%') {
            Some(percent) => fraction(percent.trim_end()).map(Margin::Fraction),
            None => duration::parse(text).map(Margin::Fixed),
        };
        margin.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Margin, A::Error> {
        Keys::deserialize(Table {
            deserializer: MapAccessDeserializer::new(map),
            shape: SHAPE,
        })
    }
}

/// Only digits and a point: Rust also parses words such as `inf`.
fn fraction(percent: &str) -> Option<f64> {
    let is_plain = percent.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    let percent: f64 = percent.parse().ok().filter(|_| is_plain)?;
    Some(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_leaves_half_of_the_lifetime() {
        let hour = Some(Duration::from_secs(3600));
        let fixed = |seconds| Margin::Fixed(Duration::from_secs(seconds));
        for good in [fixed(1), fixed(1800), Margin::Fraction(0.5)] {
            assert!(good.check("refresh_margin", hour).is_ok(), "{good:?}");
        }
        let nan = Margin::Fraction(f64::NAN);
        for bad in [
            fixed(0),
            fixed(1801),
            Margin::Fraction(0.0),
            Margin::Fraction(0.6),
            nan,
        ] {
            assert!(bad.check("refresh_margin", hour).is_err(), "{bad:?}");
        }
        assert!(fixed(1801).check("refresh_margin", None).is_ok());
    }
}
