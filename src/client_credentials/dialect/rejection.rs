//! Which statuses of the API reject the token.

use http::StatusCode;

use crate::{ConfigError, RejectionRule};

/// Which statuses of the API reject the token. Default: 401, definite. For a rule that looks at more than the status,
/// use [`RejectionRule::by`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectionStatuses {
    /// The token is bad. Default: 401.
    pub definite: Vec<u16>,
    /// The token may be bad, or it may not permit the request. Default: none.
    pub ambiguous: Vec<u16>,
}

impl Default for RejectionStatuses {
    fn default() -> Self {
        Self {
            definite: vec![401],
            ambiguous: Vec::new(),
        }
    }
}

impl RejectionStatuses {
    /// Takes the statuses of both kinds. They replace the default.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::client_credentials::{Dialect, RejectionStatuses};
    ///
    /// let mut dialect = Dialect::new("bank", "https://login.example/token");
    /// dialect.rejection = RejectionStatuses::new([401], [403]);
    /// ```
    pub fn new(
        definite: impl IntoIterator<Item = u16>,
        ambiguous: impl IntoIterator<Item = u16>,
    ) -> Self {
        Self {
            definite: definite.into_iter().collect(),
            ambiguous: ambiguous.into_iter().collect(),
        }
    }

    pub(in crate::client_credentials) fn rule(&self) -> Result<RejectionRule, ConfigError> {
        if let Some(both) = self.definite.iter().find(|it| self.ambiguous.contains(it)) {
            let error = ConfigError::new("rejection", "a status is either definite or ambiguous");
            return Err(error.given_value(both));
        }
        Ok(RejectionRule::statuses(
            statuses(&self.definite)?,
            statuses(&self.ambiguous)?,
        ))
    }
}

fn statuses(codes: &[u16]) -> Result<Vec<StatusCode>, ConfigError> {
    let status = |code: &u16| {
        let status = StatusCode::from_u16(*code).ok();
        status
            .filter(|it| (300..=599).contains(&it.as_u16()))
            .ok_or_else(|| {
                ConfigError::new("rejection", "statuses must lie between 300 and 599")
                    .given_value(code)
            })
    };
    codes.iter().map(status).collect()
}
