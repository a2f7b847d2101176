//! How long before its end a token is renewed.

use std::time::Duration;

/// How long before its expiry a token is renewed, behind the requests.
///
/// Whatever is said, the margin is clamped to half of each token's lifetime: a fixed 5 minutes on a token of 300 s would
/// otherwise renew it at every request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Margin {
    /// A fixed time. Use it where the provider's document names one (Avista: 5 minutes).
    Fixed(Duration),
    /// A part of the lifetime, above 0 and at most 0.5.
    Fraction(f64),
}
