//! The client's secret, and what is read again before a fetch.

use super::{super::credential::Credential, ClientCredentialsBuilder, Lifetimes};
use crate::{ConfigError, identity::Secret};

impl ClientCredentialsBuilder {
    /// The client's secret: a [`ClientSecret`](crate::ClientSecret), or a [`Secret`] that is read before each fetch. Every
    /// dialect needs one, except where the client proves itself by its TLS certificate.
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
        let (dialect, client) = (self.dialect.clone(), self.client.clone());
        let credential = Credential::new(dialect, client, self.secret.clone())
            .observed_by(self.observer.clone())
            .with_lifetimes(lifetimes)
            // The rest is for the token endpoint.
            .with_read_timeout(self.policy.timeouts.attempt * 3 / 4);
        credential
            .checked()
            .map_err(|error| error.of(&self.dialect.name))
    }
}
