use std::{borrow::Cow, fmt};

/// A setting that cannot work, reported when something is built and never at the first request.
///
/// It names the field and the rule that the field broke. It never holds a secret.
///
/// # Examples
///
/// ```
/// use tower_oauth::ClientId;
///
/// let error = ClientId::new("").unwrap_err();
/// assert_eq!(error.field(), "client_id");
/// assert_eq!(error.to_string(), "invalid `client_id`: must not be empty");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    field: Cow<'static, str>,
    rule: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(
        field: impl Into<Cow<'static, str>>,
        rule: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: field.into(),
            rule: rule.into(),
        }
    }

    /// The name of the setting.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The rule it broke, as a sentence without its subject.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid `{}`: {}", self.field, self.rule)
    }
}

/// As a `main` that returns it prints it.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}
