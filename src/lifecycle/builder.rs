//! Builds a source and checks its whole configuration.

use std::{fmt, sync::Arc};

use tower::{Service, ServiceExt, util::BoxService};

use super::{
    clock::Clock,
    core::{CertificateInUse, Config, Core},
    credential::CredentialCheck,
    endpoint::TokenEndpoint,
    fetch::Fetcher,
    source::TokenSource,
};
use crate::{
    error::{BoxError, ConfigError},
    headers::TokenHeaders,
    origin::{AllowedOrigins, Origin},
    policy::Policy,
    rejection::RejectionRule,
    sharing::Sharing,
    text::check_name,
    token::{Token, TokenRequest},
};

/// Builds a [`TokenSource`]. [`TokenSource::builder`] returns it.
///
/// # Examples
///
/// ```
/// use tower::service_fn;
/// use tower_oauth::{BoxError, Token, TokenHeaders, TokenRequest, TokenSource};
///
/// let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
/// let source = TokenSource::builder(fetcher)
///     .name("vault")
///     .headers(TokenHeaders::none().with("x-vault-token", "{token}")?)
///     .origin("https://api.example")
///     .build()?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[must_use]
pub struct TokenSourceBuilder {
    fetcher: Fetcher,
    config: Config,
    /// The first origin that does not parse. [`build`](Self::build) returns it.
    origin_error: Option<ConfigError>,
    rng: fastrand::Rng,
}

impl TokenSourceBuilder {
    pub(crate) fn new<F>(fetcher: F) -> Self
    where
        F: Service<TokenRequest, Response = Token> + Send + 'static,
        F::Error: Into<BoxError>,
        F::Future: Send + 'static,
    {
        Self {
            fetcher: BoxService::new(fetcher.map_err(Into::into)),
            config: Config::default(),
            origin_error: None,
            rng: fastrand::Rng::new(),
        }
    }

    /// Sets the name in errors, logs and status. Default: `oauth`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into().into();
        self
    }

    /// Sets the label `provider` in metrics. Default: the [name](Self::name). Feature `metrics`.
    ///
    /// Give the sources of a pool one such name: with a label of its own, each of 10,000 customers would add some
    /// thirty time series. Leave it out for a few sources.
    #[cfg(feature = "metrics")]
    pub fn metrics_name(mut self, name: impl Into<String>) -> Self {
        self.config.metrics_name = Some(name.into().into());
        self
    }

    /// Sets the headers that carry the token. Default: [`TokenHeaders::bearer`].
    pub fn headers(mut self, headers: TokenHeaders) -> Self {
        self.config.headers = headers;
        self
    }

    /// Adds an origin that the token may be sent to. Default: every `https` origin and loopback.
    ///
    /// Add your origins unless you fully trust the code that chooses the addresses of the requests.
    pub fn origin(self, origin: impl Into<String>) -> Self {
        self.with_origin(&origin.into(), AllowedOrigins::allow)
    }

    /// Adds an origin with plain `http` that is safe for a reason this crate cannot see, such as a mesh that adds TLS.
    ///
    /// Do not use it for traffic that leaves the machine unencrypted: anyone on the network path can read the token.
    pub fn danger_allow_http(self, origin: impl Into<String>) -> Self {
        self.with_origin(&origin.into(), AllowedOrigins::danger_allow_http)
    }

    /// Sets which responses are a rejection of the token. Default: a `401`.
    pub fn rejection(mut self, rule: RejectionRule) -> Self {
        self.config.rejection = rule;
        self
    }

    /// Changes the policy. Default: [`Policy::default`].
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(Arc::make_mut(&mut self.config.policy));
        self
    }

    /// Shows in [`TokenSource::status`] what the fetcher shares with other replicas.
    pub fn sharing(mut self, sharing: Sharing) -> Self {
        self.config.sharing = Some(sharing);
        self
    }

    /// Shares the pauses and the rate of a token endpoint with all sources that are given the same one. Default: the
    /// source shares nothing.
    ///
    /// Use it when many clients of one process call the same token endpoint.
    pub fn token_endpoint(mut self, endpoint: &TokenEndpoint) -> Self {
        self.config.endpoint = Some(endpoint.clone());
        self
    }

    /// Sets the clock. Default: [`Clock::system`]. Tests with paused time use [`Clock::tokio`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.config.clock = clock;
        self
    }

    /// Sets how the source finds out that the credential is another than that of the last attempt. Default: not at all.
    ///
    /// The source calls the function after the token endpoint denied the credential: after a failure of
    /// [`FailureClass::Permanent`](crate::FailureClass::Permanent), or a denial without a known code, and without a
    /// `Retry-After`. If the credential has changed, the fetch makes one more attempt at once. If not, the source calls
    /// the function every 5 s during the back-off, and ends the back-off when it returns `true`, as
    /// [`TokenSource::retry_now`] does. A call that takes longer than `timeouts.attempt`, or panics, counts as `false`.
    ///
    /// Sources of client credentials have this by default for secrets that can change. Set it for a fetcher of your own
    /// that reads its credential from a file or a vault.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tower::service_fn;
    /// use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
    ///
    /// async fn read_key() -> String {
    ///     "key".into() // from a file, say
    /// }
    ///
    /// let used = Arc::new(Mutex::new(String::new()));
    /// let fetcher = service_fn({
    ///     let used = used.clone();
    ///     move |_: TokenRequest| {
    ///         let used = used.clone();
    ///         async move {
    ///             let key = read_key().await;
    ///             *used.lock().unwrap() = key.clone();
    ///             Ok::<_, BoxError>(Token::new(format!("a token for {}", key.len())))
    ///         }
    ///     }
    /// });
    /// let source = TokenSource::builder(fetcher)
    ///     .credential_changed(move || {
    ///         let used = used.clone();
    ///         async move { read_key().await != *used.lock().unwrap() }
    ///     })
    ///     .build()?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn credential_changed<F, Fut>(mut self, changed: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.config.credential = Some(CredentialCheck::new(changed));
        self
    }

    /// Makes jitter and back-off repeatable, for simulations.
    ///
    /// Do not use it in production: replicas with one seed refresh and retry at the same moments.
    pub fn seed(mut self, seed: u64) -> Self {
        self.rng = fastrand::Rng::with_seed(seed);
        self
    }

    /// Builds the source. It does not fetch a token yet.
    ///
    /// # Errors
    ///
    /// Returns the first setting that cannot work: a name that is empty or contains an invisible character, headers
    /// without `{token}`, an origin that is neither `https` nor loopback, or numbers that contradict each other.
    pub fn build(self) -> Result<TokenSource, ConfigError> {
        let name = Arc::clone(&self.config.name);
        self.checked().map_err(|error| error.of(&name))
    }

    fn checked(self) -> Result<TokenSource, ConfigError> {
        let config = self.config;
        check_name(&config.name)?;
        config.headers.check()?;
        config.policy.check()?;
        self.origin_error.map_or(Ok(()), Err)?;
        config.origins.check()?;
        let certificate = config.certificate.clone();
        let source = TokenSource::new(Core::new(config, self.fetcher, self.rng));
        if let Some(certificate) = certificate {
            certificate.notify(source.downgrade());
        }
        Ok(source)
    }

    /// Sets host and port of the token endpoint, for errors.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn place(mut self, place: Arc<str>) -> Self {
        self.config.place = Some(place);
        self
    }

    /// Sets a name that others share.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn shared_name(mut self, name: Arc<str>) -> Self {
        self.config.name = name;
        self
    }

    /// Replaces the policy with one that others share.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn shared_policy(mut self, policy: Arc<Policy>) -> Self {
        self.config.policy = policy;
        self
    }

    /// Sets the certificate that the client shows when it fetches.
    #[cfg_attr(
        not(feature = "rustls"),
        allow(dead_code, reason = "its caller needs `rustls`")
    )]
    pub(crate) fn certificate(mut self, certificate: Arc<dyn CertificateInUse>) -> Self {
        self.config.certificate = Some(certificate);
        self
    }

    /// Replaces the origins.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn origins(mut self, origins: AllowedOrigins) -> Self {
        self.config.origins = origins;
        self.origin_error = None;
        self
    }

    fn with_origin(mut self, origin: &str, add: fn(&mut AllowedOrigins, Origin)) -> Self {
        match origin.parse() {
            Ok(origin) => add(&mut self.config.origins, origin),
            Err(error) => {
                self.origin_error.get_or_insert(error);
            }
        }
        self
    }
}

impl fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSourceBuilder")
            .field("name", &self.config.name)
            .field("headers", &self.config.headers)
            .field("origins", &self.config.origins)
            .field("origin_error", &self.origin_error)
            .field("rejection", &self.config.rejection)
            .field("policy", &self.config.policy)
            .field("clock", &self.config.clock)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(change: impl FnOnce(TokenSourceBuilder) -> TokenSourceBuilder) -> ConfigError {
        let fetcher = tower::service_fn(async |_| Ok::<_, BoxError>(Token::new("abc")));
        change(TokenSource::builder(fetcher)).build().unwrap_err()
    }

    #[test]
    fn a_name_that_forges_a_line_is_rejected() {
        for name in ["", "x\u{1b}[2J", "x\nINFO", "x\u{202e}", "x\u{200b}"] {
            let error = rejected(|it| it.name(name));
            assert_eq!(error.field(), "name", "{name:?}");
            assert_eq!(crate::text::hidden(&error.to_string()), None, "{error}");
        }
        assert_eq!(
            rejected(|it| it.name("x\u{1b}[2J")).rule(),
            "holds a control character (U+001B) at character 2; remove it"
        );
    }

    #[test]
    fn an_error_says_whose_setting_it_is_and_what_was_given() {
        let error = rejected(|it| it.policy(|policy| policy.retry.attempts = 0).name("vault"));
        assert_eq!(
            error.to_string(),
            "vault: invalid `retry.attempts` 0: must be at least 1"
        );
        let error = rejected(|it| it.origin("https://me:c4n4ry@api.example").name("vault"));
        assert_eq!(error.source_name(), Some("vault"));
        assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
    }

    #[test]
    fn no_debug_shows_what_stood_before_an_origins_host() {
        let fetcher = tower::service_fn(async |_| Ok::<_, BoxError>(Token::new("abc")));
        let builder = TokenSource::builder(fetcher).origin("https://me:c4n4ry@api.example?c4n4ry");
        assert!(!format!("{builder:?}").contains("c4n4ry"), "{builder:?}");
    }
}
