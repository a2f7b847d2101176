//! How long before a token's expiry its renewal begins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{duration, error::ConfigError};

/// How long before its expiry a token is renewed: a time, or a part of its lifetime. It is clamped below half of the
/// lifetime when a token turns out to be short-lived.
///
/// In configuration: `{ fixed = "5m" }` or `{ fraction = 0.1 }`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::Margin;
///
/// let avista = Margin::Fixed(Duration::from_secs(300));
/// let conta_simples = Margin::Fraction(0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Margin {
    /// The same time for every token, where the provider names one. Not for short tokens: one of 300 s would be
    /// renewed at half of its life.
    Fixed(#[serde(with = "duration")] Duration),
    /// A part of the token's lifetime: above 0, at most 0.5.
    Fraction(f64),
}

impl Margin {
    /// A margin must leave at least half of the lifetime; `lifetime` is the one it is known to meet, if any.
    pub(crate) fn check(self, lifetime: Option<Duration>) -> Result<(), ConfigError> {
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
        Err(ConfigError::new("renewal_margin", rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_leaves_half_of_the_lifetime() {
        let hour = Some(Duration::from_secs(3600));
        let fixed = |seconds| Margin::Fixed(Duration::from_secs(seconds));
        for good in [fixed(1), fixed(1800), Margin::Fraction(0.5)] {
            assert!(good.check(hour).is_ok(), "{good:?}");
        }
        let nan = Margin::Fraction(f64::NAN);
        for bad in [
            fixed(0),
            fixed(1801),
            Margin::Fraction(0.0),
            Margin::Fraction(0.6),
            nan,
        ] {
            assert!(bad.check(hour).is_err(), "{bad:?}");
        }
        assert!(fixed(1801).check(None).is_ok());
    }
}
