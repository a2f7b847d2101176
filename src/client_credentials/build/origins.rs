//! Where the token may go.

use super::ClientCredentialsBuilder;
use crate::{ConfigError, Origin};

/// The first mistake is reported by the last step.
pub(super) type Origins = Result<Vec<Origin>, ConfigError>;

impl ClientCredentialsBuilder {
    /// Allows the token to be sent to an origin, such as `https://api.example`. The first call replaces the dialect's
    /// origins; each further call adds one.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins = with(self.origins, &origin.into());
        self
    }

    /// Allows plain `http` for an origin: the token endpoint's, or one added with [`origin`](Self::origin). Use it only
    /// where something else protects the connection, such as a service mesh that adds TLS: anyone on the network path
    /// can otherwise read the secret and the token.
    pub fn danger_allow_http(mut self, origin: impl Into<String>) -> Self {
        self.plain_http = with(self.plain_http, &origin.into());
        self
    }

    /// Replaces the dialect's origins, if there are others.
    pub(super) fn put_origins(&mut self) -> Result<(), ConfigError> {
        let (origins, plain_http) = (self.origins.clone()?, self.plain_http.clone()?);
        if !origins.is_empty() {
            self.changed().origins = origins;
        }
        if !plain_http.is_empty() {
            self.changed().danger_allow_http.extend(plain_http);
        }
        Ok(())
    }
}

fn with(origins: Origins, origin: &str) -> Origins {
    let mut origins = origins?;
    origins.push(origin.parse()?);
    Ok(origins)
}
