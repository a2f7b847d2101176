//! How an answer states the expiry of its token.

/// How an answer states the expiry of its token. A number may be quoted and may have a fraction.
///
/// If an expiry cannot be read, the token is used for `default_lifetime`, and a `WARN` names the member and the format
/// that would read it. A lifetime of zero or less, or a moment that has passed, is an error of the fetch; use
/// [`Ignored`](Self::Ignored) for a server that means "never" by it.
///
/// In configuration: `"auto"`, `"seconds"`, `"milliseconds"`, `"epoch_seconds"`, `"rfc3339"`, `"ignored"`, `"minutes"`,
/// `"jwt"`, `{ local_time = { utc_offset_minutes = -180 } }` or `{ auto_local = { utc_offset_minutes = -180 } }`.
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
    /// A number below 1.5e9 is a lifetime in seconds; from 1.5e9 (the year 2017) it is the time since 1970 in seconds,
    /// from 1.5e12 in milliseconds; anything else is RFC 3339. For servers whose documentation and behaviour differ,
    /// such as Bankly's.
    ///
    /// A lifetime of more than a day in seconds is read only if it is a number of whole days, and not of whole hours in
    /// milliseconds: 604,800 is a week; 3,600,000 and 86,400,000 cannot be read. Neither can a number from 1.5e9 to
    /// 1e11 that is one of whole hours in milliseconds, such as 2,592,000,000 (30 days), nor a number from 1e11 to
    /// 1.5e12, which is a moment long past or far away, nor a date without an offset from UTC, such as
    /// `2018-07-23T11:29:32` or `20180723112932`. Name the format in these cases.
    #[default]
    Auto,
    /// The lifetime in seconds (RFC 6749 §5.1).
    Seconds,
    /// The lifetime in milliseconds.
    Milliseconds,
    /// The moment of expiry in seconds since 1970 (Serasa).
    EpochSeconds,
    /// The moment of expiry with its offset from UTC (FitBank).
    Rfc3339,
    /// The moment of expiry as a date and a time of day without an offset from UTC (Correios): `2018-07-23T11:29:32`,
    /// `2018-07-23 11:29:32` or `20180723112932`. If the text has an offset, that one counts.
    LocalTime {
        /// The offset from UTC in minutes: -180 for Brasília.
        utc_offset_minutes: i16,
    },
    /// The expiry is not read, and `default_lifetime` counts. Use it where a server writes 0 or -1 and means
    /// that the token never ends. Do not use it for a server that states the lifetime.
    Ignored,
    /// The lifetime in minutes.
    Minutes,
    /// As [`Auto`](Self::Auto), and a date and time without an offset from UTC is read with this one. For servers whose
    /// documentation shows both forms (Cielo's 3DS).
    AutoLocal {
        /// The offset from UTC in minutes: -180 for Brasília.
        utc_offset_minutes: i16,
    },
    /// The claim `exp` of the token, which is a JWT (RFC 7519 §4.1.4). No member is read. The signature is not checked:
    /// the claim only says when to ask for the next token. Use it where the answer states no expiry (Pluggy).
    Jwt,
}
