//! What a failed answer of the token endpoint means for the next try.

use http::StatusCode;

use crate::FailureClass;

/// The RFC 6749 §5.2 codes that asking again cannot mend.
const PERMANENT: [&str; 5] = [
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "unsupported_grant_type",
    "invalid_request",
];

/// A provider's own word on how one kind of failure is treated.
///
/// Do not call a refusal of credentials transient: a bank locks a client out that tries them again.
///
/// # Examples
///
/// ```
/// use tower_oauth::{FailureClass, client_credentials::FailureRow};
///
/// let row: FailureRow = toml::from_str("status = 400\nerror = 'LIMIT_EXCEEDED'\nclass = 'transient'")?;
/// assert_eq!(row.class, FailureClass::Transient);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// The status of the token endpoint's answer.
    pub status: u16,
    /// The `error` code in its body; left out, any answer of this status fits.
    pub error: Option<String>,
    /// How it is treated.
    pub class: FailureClass,
}

impl FailureRow {
    fn fits(&self, status: StatusCode, code: Option<&str>) -> bool {
        self.status == status.as_u16() && (self.error.is_none() || self.error.as_deref() == code)
    }
}

pub(super) fn classify(
    rows: &[FailureRow],
    status: StatusCode,
    code: Option<&str>,
) -> FailureClass {
    if let Some(row) = rows.iter().find(|row| row.fits(status, code)) {
        return row.class;
    }
    match status.as_u16() {
        _ if code.is_some_and(|code| PERMANENT.contains(&code)) => FailureClass::Permanent,
        408 | 425 | 429 | 500..=599 => FailureClass::Transient,
        _ => FailureClass::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::{FailureClass::*, *};

    fn class(rows: &[FailureRow], status: u16, code: Option<&str>) -> FailureClass {
        classify(rows, StatusCode::from_u16(status).unwrap(), code)
    }

    #[test]
    fn codes_speak_before_statuses() {
        for (status, code, expected) in [
            (400, Some("invalid_client"), Permanent),
            (401, Some("invalid_client"), Permanent),
            (200, Some("invalid_scope"), Permanent),
            (500, Some("invalid_request"), Permanent),
            (400, Some("unsupported_grant_type"), Permanent),
            (400, Some("unauthorized_client"), Permanent),
            (400, Some("slow_down"), Unclear),
            (400, None, Unclear),
            (401, None, Unclear),
            (403, None, Unclear),
            (404, None, Unclear),
            (302, None, Unclear),
            (408, None, Transient),
            (425, None, Transient),
            (429, None, Transient),
            (500, None, Transient),
            (503, Some("server_error"), Transient),
        ] {
            assert_eq!(class(&[], status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn a_providers_rows_speak_first() {
        let row = |status, error: Option<&str>, class| FailureRow {
            status,
            error: error.map(Into::into),
            class,
        };
        let rows = [
            row(400, Some("LIMIT"), Transient),
            row(403, None, Permanent),
            row(403, Some("LIMIT"), Transient),
        ];
        assert_eq!(class(&rows, 400, Some("LIMIT")), Transient);
        assert_eq!(class(&rows, 400, None), Unclear);
        assert_eq!(class(&rows, 403, Some("LIMIT")), Permanent);
    }
}
