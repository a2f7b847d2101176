//! The last step: a token source, or a fetcher alone.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::ClientCredentialsBuilder;
use crate::{
    ConfigError,
    client_credentials::{
        ClientCredentials,
        endpoint::Endpoint,
        exchange::{self, Exchange, HttpService},
        response::Lifetimes,
    },
    lifecycle::TokenSource,
};

impl ClientCredentialsBuilder {
    /// Builds a token source over any Tower HTTP service, such as hyper-util's client. The service's request body must
    /// be made from [`Bytes`].
    ///
    /// The transport must not follow redirects: it would take the secret to wherever the answer points. It runs on
    /// your runtime: build hyper-util's client with `http1_max_buf_size(16 * 1024)`, or a token endpoint that sends
    /// `100 Continue` without end holds up a thread of that runtime, and the time-outs with it, for seconds at a time.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot work, and the rule that it broke.
    ///
    /// # Examples
    ///
    /// A service that takes one kind of body, as hyper-util's client does, says it by itself:
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    /// use tower_oauth::{ClientId, ClientSecret, client_credentials::{ClientCredentialsBuilder, Dialect}};
    ///
    /// let client = Client::builder(TokioExecutor::new())
    ///     .http1_max_buf_size(16 * 1024)
    ///     .build_http::<Full<Bytes>>();
    /// let dialect = Dialect::new("local", "http://127.0.0.1:8080/token");
    /// let source = ClientCredentialsBuilder::new(dialect, ClientId::new("me")?)
    ///     .secret(ClientSecret::new("shh"))
    ///     .build(client)?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    ///
    /// For one that takes several kinds, name the body. With
    /// [`ReqwestService`](crate::transport::ReqwestService) it is this line:
    ///
    /// ```
    /// # #[cfg(feature = "reqwest")]
    /// # fn over(
    /// #     builder: tower_oauth::client_credentials::ClientCredentialsBuilder,
    /// #     service: tower_oauth::transport::ReqwestService,
    /// # ) -> Result<tower_oauth::TokenSource, tower_oauth::ConfigError> {
    /// let source = builder.build::<reqwest::Body>(service)?;
    /// # Ok(source)
    /// # }
    /// ```
    pub fn build<B>(mut self, transport: impl HttpService<B>) -> Result<TokenSource, ConfigError>
    where
        B: From<Bytes> + 'static,
    {
        self.settle()?;
        self.source_over(exchange::over(transport))
    }

    pub(super) fn source_over(self, exchange: Exchange) -> Result<TokenSource, ConfigError> {
        // The policy decides: it holds the dialect's lifetimes and the user's changes.
        let timeout = Some(self.policy.timeouts.attempt);
        let fetcher = self.fetcher_over(exchange, timeout, Lifetimes::default())?;
        let place = fetcher.place();
        let changed = fetcher.can_change().then(|| fetcher.credential_changed());
        #[cfg(feature = "redis")]
        let mut source = self.shared_source(fetcher)?;
        #[cfg(not(feature = "redis"))]
        let mut source = TokenSource::builder(fetcher);
        if let Some(changed) = changed {
            source = source.credential_changed(changed);
        }
        #[cfg(feature = "rustls")]
        if let Some(identity) = &self.identity {
            source = source.identity(identity);
        }
        #[cfg(feature = "metrics")]
        if let Some(name) = self.metrics_name {
            source = source.metrics_name(name);
        }
        if let Some(endpoint) = &self.token_endpoint {
            source = source.token_endpoint(endpoint);
        }
        let derived = self.dialect.derived();
        let dialect = derived.checked()?;
        let rejection = match self.rejection {
            Some(rule) => rule,
            None => dialect.rejection.clone(),
        };
        source
            .shared_name(self.name)
            .place(place)
            .headers(self.dialect.headers.clone().bind(&self.client.id))
            .origins(dialect.origins.clone())
            .rejection(rejection)
            .shared_policy(self.policy)
            .clock(self.clock)
            .build()
    }

    /// Builds the fetcher alone, over any Tower HTTP service whose request body can be made from [`Bytes`].
    ///
    /// Of the [`policy`](Self::policy) the fetcher keeps `default_lifetime` and `max_lifetime`, if the dialect or you
    /// set them. Set the rest on the source that you put it in.
    ///
    /// For a transport that takes several kinds of body, name one, as in
    /// `fetcher::<http_body_util::Full<bytes::Bytes>>(transport)`.
    ///
    /// The transport must not follow redirects: it would take the secret to wherever the answer points.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot work, and the rule that it broke.
    pub fn fetcher<B>(
        mut self,
        transport: impl HttpService<B>,
    ) -> Result<ClientCredentials, ConfigError>
    where
        B: From<Bytes> + 'static,
    {
        self.settle()?;
        let lifetimes = self.stated_lifetimes();
        self.fetcher_over(exchange::over(transport), None, lifetimes)
    }

    fn fetcher_over(
        &self,
        exchange: Exchange,
        timeout: Option<Duration>,
        lifetimes: Lifetimes,
    ) -> Result<ClientCredentials, ConfigError> {
        let exchange = self.asserting(exchange, timeout)?;
        let credential = self.credential(lifetimes)?;
        let derived = self.dialect.derived();
        let endpoint = Endpoint::at(Arc::clone(&derived.checked()?.place));
        #[cfg(feature = "rustls")]
        let endpoint = endpoint.showing(self.identity.clone());
        Ok(ClientCredentials::new(credential, endpoint, exchange))
    }
}
