//! Builds a token source over a `reqwest` client.

use reqwest::{Body, ClientBuilder};

use super::ClientCredentialsBuilder;
use crate::{
    ConfigError, Origin,
    client_credentials::{exchange, exchange::HttpService, own_thread},
    lifecycle::TokenSource,
    transport::ReqwestService,
};

impl ClientCredentialsBuilder {
    /// Builds a token source over a `reqwest` client of its own.
    ///
    /// Certificates, time-outs and proxies are the builder's; redirects and referer are switched off, and there is no
    /// proxy for loopback (see [`ReqwestService::new`](crate::transport::ReqwestService::new)).
    ///
    /// Each token request runs on its own thread, with its own connection: a token endpoint that keeps the client
    /// parsing holds up no task of yours, and the time-outs hold. With many clients at one provider, share a
    /// [`ReqwestThread`](crate::transport::ReqwestThread) instead: it keeps its connections.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot work, and the rule that it broke; or says why the client cannot be built.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tower_oauth::{ClientId, ClientSecret, provider::bankly};
    ///
    /// let source = bankly::sandbox(ClientId::new("0b1d…")?, ClientSecret::new("shh"))
    ///     .scopes(["boleto.read", "pix.cob.read"])
    ///     .build_reqwest(reqwest::Client::builder())?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn build_reqwest(mut self, client: ClientBuilder) -> Result<TokenSource, ConfigError> {
        self.settle()?;
        #[cfg(feature = "rustls")]
        let client = self.with_fixed_identity(client)?;
        self.over_reqwest(|destination| ReqwestService::new(one_use(client), destination))
    }

    /// Each token request has a thread of its own.
    pub(super) fn over_reqwest<T>(
        self,
        transport: impl FnOnce(&Origin) -> Result<T, ConfigError>,
    ) -> Result<TokenSource, ConfigError>
    where
        T: HttpService<Body>,
    {
        let transport = self
            .dialect
            .unnamed_origin()
            .and_then(|destination| transport(&destination))
            .map_err(|error| error.of(&self.name))?;
        let exchange = exchange::over(transport);
        self.source_over(own_thread::each_on_its_own(exchange))
    }
}

/// A connection lives on the runtime that opened it, which ends with its request.
pub(super) fn one_use(client: ClientBuilder) -> ClientBuilder {
    client.pool_max_idle_per_host(0)
}
