//! A client that shows a certificate (mTLS).

use reqwest::ClientBuilder;

use super::{ClientCredentialsBuilder, reqwest::one_use};
use crate::{ConfigError, identity::Identity, lifecycle::TokenSource};

impl ClientCredentialsBuilder {
    /// Sets the certificate that the client shows to the token endpoint. Give the same identity to the API's client:
    /// see [`Identity`].
    ///
    /// When the certificate changes, the token is refreshed behind the requests, since it may be bound to the
    /// certificate (RFC 8705). [`Status`](crate::Status) has the certificate's end, and an error that may come from an
    /// expired certificate says so.
    ///
    /// Build the source with [`build_reqwest_with`](Self::build_reqwest_with). With [`build`](Self::build) the
    /// transport is yours: make it a [`RenewingClient`](crate::identity::RenewingClient).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tower_oauth::{ClientId, Origin, identity::Identity, provider::bankly};
    ///
    /// let identity = Identity::pem_files("/run/secrets/tls.crt", "/run/secrets/tls.key").build()?;
    /// let source = bankly::mtls_sandbox(ClientId::new("0b1d…")?)
    ///     .scopes(["boleto.read"])
    ///     .identity(identity.clone())
    ///     .build_reqwest_with(reqwest::Client::builder)?;
    /// let origin: Origin = "https://api-mtls.sandbox.bankly.com.br".parse()?;
    /// let api = identity.reqwest_service(reqwest::Client::builder, &origin)?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Builds a token source over a `reqwest` client that is built anew when the certificate changes. `make` gives its
    /// settings without the identity, for example `reqwest::Client::builder`. All else is as with
    /// [`build_reqwest`](Self::build_reqwest).
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot work, and the rule that it broke; or says why the client cannot be built.
    pub fn build_reqwest_with(
        mut self,
        make: impl Fn() -> ClientBuilder + Send + Sync + 'static,
    ) -> Result<TokenSource, ConfigError> {
        let Some(identity) = self.identity.clone() else {
            return self.build_reqwest(make());
        };
        self.settle()?;
        self.over_reqwest(|destination| {
            identity.reqwest_service(move || one_use(make()), destination)
        })
    }

    /// One ready-made client cannot follow a certificate that changes.
    pub(super) fn with_fixed_identity(
        &self,
        client: ClientBuilder,
    ) -> Result<ClientBuilder, ConfigError> {
        let named = |error: ConfigError| error.of(&self.name);
        match &self.identity {
            None => Ok(client),
            Some(identity) if identity.can_change() => Err(named(ConfigError::new(
                "identity",
                "can change while running, and one `ClientBuilder` builds one client: use `build_reqwest_with`",
            ))),
            Some(identity) => Ok(client.identity(identity.reqwest_identity().map_err(named)?)),
        }
    }
}
