//! The builder's methods for signed assertions.

#[cfg(feature = "jwt")]
use {
    crate::{
        BoxError,
        client_credentials::{
            asserting,
            assertion::{AssertionWriter, Signer, SigningKey, SigningRequest},
            dialect::Assertion,
        },
    },
    tower::Service,
};

use std::time::Duration;

use super::ClientCredentialsBuilder;
use crate::{ConfigError, client_credentials::exchange::Exchange};

/// Who signs the client's assertions.
#[cfg(feature = "jwt")]
#[derive(Clone, Debug)]
pub(super) enum Signing {
    Key(SigningKey),
    Service(Signer),
}

#[cfg(feature = "jwt")]
impl ClientCredentialsBuilder {
    /// Authenticates the client with a JWT that it signs, whatever the dialect says. A secret that was set before is
    /// dropped. Do not call it if the dialect has an [`assertion`](crate::client_credentials::Dialect::assertion).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tower_oauth::{
    ///     ClientId, SigningAlgorithm,
    ///     client_credentials::{Assertion, ClientCredentialsBuilder, Dialect, SigningKey},
    /// };
    ///
    /// let dialect = Dialect::new("transmitter", "https://auth.bank.example/token");
    /// let source = ClientCredentialsBuilder::new(dialect, ClientId::new("me")?)
    ///     .assertion(Assertion::client(SigningAlgorithm::Ps256))
    ///     .signing_key(SigningKey::from_pem_file("/run/secrets/signing.key")?)
    ///     .scopes(["payments"])
    ///     .origin("https://api.bank.example")
    ///     .build_reqwest(reqwest::Client::builder())?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn assertion(mut self, assertion: Assertion) -> Self {
        self.changed().assertion = Some(assertion);
        self.secret = None;
        self
    }

    /// Sets the key that signs the assertions. It replaces a [`signer`](Self::signer).
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.signing = Some(Signing::Key(key));
        self
    }

    /// Sets a service that signs the assertions: see [`SigningRequest`]. Use it for a key in a KMS, an HSM or a vault.
    /// It replaces a [`signing_key`](Self::signing_key).
    ///
    /// It is called once for each attempt. If it fails, so does the attempt, and nothing is sent. Return a
    /// [`FetchError`](crate::FetchError) to say whether to try again; any other error is not tried again within the
    /// fetch. In a source it has as long as an attempt (`timeouts.attempt`, 8 s unless set); a
    /// [`fetcher`](Self::fetcher) sets no bound. It runs on the runtime of the source.
    ///
    /// # Cancel safety
    ///
    /// An attempt that takes too long drops the signer's future.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower::service_fn;
    /// use tower_oauth::{
    ///     BoxError, ClientId, SigningAlgorithm,
    ///     client_credentials::{Assertion, ClientCredentialsBuilder, Dialect, SigningRequest},
    /// };
    ///
    /// # async fn kms_sign(_: &[u8]) -> Result<Vec<u8>, BoxError> { Ok(vec![]) }
    /// let dialect = Dialect::new("transmitter", "https://auth.bank.example/token");
    /// let builder = ClientCredentialsBuilder::new(dialect, ClientId::new("me")?)
    ///     .assertion(Assertion::client(SigningAlgorithm::Es256))
    ///     .signer(service_fn(async |request: SigningRequest| kms_sign(request.bytes()).await));
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn signer<S>(mut self, signer: S) -> Self
    where
        S: Service<SigningRequest, Response = Vec<u8>> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.signing = Some(Signing::Service(Signer::new(signer)));
        self
    }

    /// The exchange, with an assertion for each request if the dialect wants one.
    pub(super) fn asserting(
        &self,
        exchange: Exchange,
        timeout: Option<Duration>,
    ) -> Result<Exchange, ConfigError> {
        self.with_assertions(exchange, timeout)
            .map_err(|error| error.of(&self.name))
    }

    fn with_assertions(
        &self,
        exchange: Exchange,
        timeout: Option<Duration>,
    ) -> Result<Exchange, ConfigError> {
        let Some(assertion) = &self.dialect.assertion else {
            return match &self.signing {
                None => Ok(exchange),
                Some(_) => Err(ConfigError::new(
                    "signing_key",
                    "is not used: the dialect has no `assertion`; set one, or leave the key out",
                )),
            };
        };
        let mut assertion = assertion.clone();
        let signer = match &self.signing {
            Some(Signing::Key(key)) => {
                key.check(assertion.algorithm)?;
                assertion.kid = assertion.kid.or_else(|| key.kid().map(Into::into));
                Signer::new(key.clone())
            }
            Some(Signing::Service(signer)) => signer.clone(),
            None => return Err(no_key()),
        };
        let (dialect, id) = (&self.dialect, &self.client.id);
        let writer = AssertionWriter::new(dialect, &assertion, id, signer, timeout);
        let (body, usage) = (dialect.body, assertion.usage);
        Ok(asserting::with_assertions(exchange, writer, body, usage))
    }
}

#[cfg(feature = "jwt")]
fn no_key() -> ConfigError {
    ConfigError::new(
        "signing_key",
        "must be given: the dialect's `assertion` is signed with it",
    )
    .with_kind(crate::ConfigErrorKind::Missing)
}

#[cfg(not(feature = "jwt"))]
impl ClientCredentialsBuilder {
    pub(super) fn asserting(
        &self,
        exchange: Exchange,
        _timeout: Option<Duration>,
    ) -> Result<Exchange, ConfigError> {
        match self.dialect.assertion {
            None => Ok(exchange),
            Some(_) => {
                let error = ConfigError::new("assertion", "needs the cargo feature `jwt`");
                Err(error.of(&self.name))
            }
        }
    }
}
