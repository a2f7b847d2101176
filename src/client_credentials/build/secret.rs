//! The client's secret, and what is read again before a fetch.

use std::sync::Arc;

use super::ClientCredentialsBuilder;
use crate::{
    ConfigError, Secret,
    client_credentials::{credential::Credential, response::Lifetimes},
};

impl ClientCredentialsBuilder {
    /// Sets the client's secret: a [`ClientSecret`](crate::ClientSecret), or a [`Secret`] that is read before each
    /// fetch. It is required, unless the client authenticates with its TLS certificate or with an
    /// [`assertion`](crate::client_credentials::Dialect::assertion).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::{ClientId, ClientSecret, Secret, client_credentials::{ClientCredentialsBuilder, Dialect}};
    ///
    /// let dialect = Dialect::new("partner", "https://login.partner.example/token");
    /// let builder = ClientCredentialsBuilder::new(dialect, ClientId::new("me")?);
    ///
    /// let fixed = builder.clone().secret(ClientSecret::new("shh"));
    /// let mounted = builder.secret(Secret::from_file("/run/secrets/partner"));
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn secret(mut self, secret: impl Into<Secret>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// What the builder says of the token request, checked.
    pub(super) fn credential(&self, lifetimes: Lifetimes) -> Result<Credential, ConfigError> {
        let (dialect, client) = (Arc::clone(&self.dialect), self.client.clone());
        let credential = Credential::new(dialect, client, self.secret.clone())
            .named(Arc::clone(&self.name))
            .observed_by(self.observer.clone())
            .with_lifetimes(lifetimes)
            // The rest is for the token endpoint.
            .with_read_timeout(self.policy.timeouts.attempt * 3 / 4);
        credential
            .checked()
            .map_err(|error| self.without_secret(error.of(&self.name)))
    }

    /// The error, without what was given if that is the secret.
    pub(super) fn without_secret(&self, error: ConfigError) -> ConfigError {
        match self.secret.as_ref().and_then(Secret::read_when_built) {
            Some(Ok(secret)) => error.without(secret.expose()),
            _ => error,
        }
    }
}
