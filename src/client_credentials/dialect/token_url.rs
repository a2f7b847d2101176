//! The token URL, parsed.

use std::borrow::Cow;

use http::{Uri, uri::InvalidUri};

use super::Dialect;
use crate::{
    ConfigError, ConfigErrorKind, Origin, origin::has_path_of_its_own, text::url_without_secrets,
};

impl Dialect {
    pub(in crate::client_credentials) fn token_uri(&self) -> Result<Uri, ConfigError> {
        if self.token_url.is_empty() {
            let missing = self.broken_url("must be given: no public document names it");
            return Err(missing.with_kind(ConfigErrorKind::Missing));
        }
        let uri: Uri = self.token_url.parse().map_err(|error: InvalidUri| {
            self.broken_url("must be a URL such as https://login.example/token")
                .because(error)
        })?;
        match uri.scheme().is_none() || has_path_of_its_own(&uri) {
            true => Ok(uri),
            false => Err(self.broken_url("must have a path that begins with `/`")),
        }
    }

    /// Returns the origin of the token endpoint, for a client that is built for it.
    ///
    /// # Errors
    ///
    /// Fails if [`token_url`](Self::token_url) is missing or is no URL.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::provider::bankly;
    ///
    /// let origin = bankly::dialect().token_origin()?;
    /// assert_eq!(origin.to_string(), "https://login.bankly.com.br");
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn token_origin(&self) -> Result<Origin, ConfigError> {
        self.unnamed_origin().map_err(|error| error.of(&self.name))
    }

    /// The same, for an error that names a source.
    pub(in crate::client_credentials) fn unnamed_origin(&self) -> Result<Origin, ConfigError> {
        Origin::of(&self.token_uri()?).map_err(|error| self.broken_url(error.rule().to_owned()))
    }

    fn broken_url(&self, rule: impl Into<Cow<'static, str>>) -> ConfigError {
        ConfigError::new("token_url", rule).given(&url_without_secrets(&self.token_url))
    }
}
