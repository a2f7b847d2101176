//! How one kind of failed answer is treated.

use http::StatusCode;

use crate::FailureClass;

/// Says how one kind of failed answer is treated, where a provider differs from the RFC.
///
/// Do not class a denial of credentials as transient: a bank may lock out a client that tries them again.
///
/// # Examples
///
/// ```
/// use tower_oauth::{FailureClass, client_credentials::FailureRow};
///
/// let row: FailureRow = toml::from_str("status = 400\nerror = 'LIMIT_EXCEEDED'\nclass = 'transient'")?;
/// assert_eq!(row, FailureRow::new(400, FailureClass::Transient).with_error("LIMIT_EXCEEDED"));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureRow {
    /// The status of the token endpoint's answer.
    pub status: u16,
    /// The `error` code in its body, in any ASCII case. `None`: any answer with this status fits.
    pub error: Option<String>,
    /// How it is treated.
    pub class: FailureClass,
    /// Only the first attempts of a fetch fit; the answer to a later one is treated as without the row. Default: all
    /// fit. Use it for a code that is sporadically false, such as the `invalid_client` of Banco do Brasil.
    pub attempts: Option<u32>,
}

impl FailureRow {
    /// Takes a status and how an answer with it is treated, whatever its `error` code.
    pub fn new(status: u16, class: FailureClass) -> Self {
        Self {
            status,
            error: None,
            class,
            attempts: None,
        }
    }

    /// Limits the row to answers with this `error` code.
    #[must_use]
    pub fn with_error(mut self, code: impl Into<String>) -> Self {
        self.error = Some(code.into());
        self
    }

    /// Limits the row to the first attempts of a fetch.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Whether an answer is of the kind that this row describes.
    pub(in crate::client_credentials) fn fits(
        &self,
        status: StatusCode,
        code: Option<&str>,
        attempt: u32,
    ) -> bool {
        let is_same = |error: &str| code.is_some_and(|code| code.eq_ignore_ascii_case(error));
        self.status == status.as_u16()
            && self.error.as_deref().is_none_or(is_same)
            && self.attempts.is_none_or(|first| attempt <= first)
    }
}
