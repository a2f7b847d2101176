//! Builds a token source or a fetcher from a dialect and a client's credentials.

mod assertion;
#[cfg(feature = "rustls")]
mod certificate;
mod origins;
mod policy;
#[cfg(feature = "reqwest")]
mod reqwest;
mod secret;
#[cfg(feature = "redis")]
mod share;
mod source;

use std::sync::Arc;

#[cfg(feature = "jwt")]
use self::assertion::Signing;
use self::origins::Origins;
#[cfg(feature = "redis")]
use self::share::Share;
use super::{
    attempt_record::{AttemptRecord, Observer},
    dialect::{Dialect, ParamValue},
    request::Client,
};
use crate::{
    ClientId, ConfigError, RejectionRule, Secret,
    lifecycle::{Clock, TokenEndpoint},
    policy::Policy,
    text::check_name,
};

/// Builds a token source, or a fetcher alone, from a [`Dialect`], the client's id and secret, and scopes. Methods
/// override what the dialect says. The last step checks everything and reports the first mistake.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower_oauth::{
///     ClientId, ClientSecret, TokenRequest,
///     client_credentials::{ClientCredentialsBuilder, Dialect},
/// };
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth::BoxError> {
/// // Any Tower HTTP service; here one that answers by itself.
/// let transport = tower::service_fn(async |request: http::Request<Full<Bytes>>| {
///     assert_eq!(request.uri(), "https://login.example/token");
///     let answer = Full::<Bytes>::from(r#"{"access_token": "abc", "expires_in": 300}"#);
///     Ok::<_, std::io::Error>(http::Response::new(answer))
/// });
///
/// let fetcher = ClientCredentialsBuilder::new(
///     Dialect::new("example", "https://login.example/token"),
///     ClientId::new("me")?,
/// )
/// .secret(ClientSecret::new("shh"))
/// .scopes(["read"])
/// .fetcher(transport)?;
///
/// let token = fetcher.oneshot(TokenRequest::first(std::time::UNIX_EPOCH)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientCredentialsBuilder {
    /// Shared with all sources that were built from the same one. What changes it makes a copy first.
    dialect: Arc<Dialect>,
    name: Arc<str>,
    client: Client,
    secret: Option<Secret>,
    #[cfg(feature = "jwt")]
    signing: Option<Signing>,
    /// These replace the dialect's origins. The last step reports the first mistake.
    origins: Origins,
    plain_http: Origins,
    rejection: Option<RejectionRule>,
    policy: Arc<Policy>,
    clock: Clock,
    observer: Option<Observer>,
    token_endpoint: Option<TokenEndpoint>,
    #[cfg(feature = "metrics")]
    metrics_name: Option<String>,
    #[cfg(feature = "rustls")]
    identity: Option<crate::identity::Identity>,
    #[cfg(feature = "redis")]
    share: Share,
}

impl ClientCredentialsBuilder {
    /// Creates a builder from a dialect and the client's id.
    ///
    /// With many clients at one provider, pass clones of one `Arc<Dialect>`: their sources then share it. A method that
    /// overrides one of the dialect's settings ([`token_url`](Self::token_url), [`token_param`](Self::token_param),
    /// [`token_header`](Self::token_header), [`header_value`](Self::header_value), [`origin`](Self::origin),
    /// [`danger_allow_http`](Self::danger_allow_http)) makes a copy for its source, and so does a
    /// [`policy`](Self::policy) that differs from the dialect's. Set what is the same for all clients in the dialect.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tower_oauth::{ClientId, ClientSecret, client_credentials::ClientCredentialsBuilder, provider};
    ///
    /// let dialect = Arc::new(provider::find("efi-pix")?.dialect("sandbox")?);
    /// let customer = |number: u32, id, secret| {
    ///     ClientCredentialsBuilder::new(Arc::clone(&dialect), id)
    ///         .name(format!("efi/customer-{number}"))
    ///         .secret(secret)
    /// };
    /// let builder = customer(17, ClientId::new("Client_Id_17")?, ClientSecret::new("Client_Secret_17"));
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn new(dialect: impl Into<Arc<Dialect>>, id: ClientId) -> Self {
        let dialect = dialect.into();
        Self {
            policy: Arc::clone(&dialect.derived().policy),
            name: dialect.name.as_str().into(),
            dialect,
            client: Client {
                id,
                secret: None,
                scopes: Vec::new(),
            },
            secret: None,
            #[cfg(feature = "jwt")]
            signing: None,
            origins: Ok(Vec::new()),
            plain_http: Ok(Vec::new()),
            rejection: None,
            clock: Clock::system(),
            observer: None,
            token_endpoint: None,
            #[cfg(feature = "metrics")]
            metrics_name: None,
            #[cfg(feature = "rustls")]
            identity: None,
            #[cfg(feature = "redis")]
            share: Share::default(),
        }
    }

    /// Sets the name of the source in errors, logs and status, such as `efi/customer-17`. Default: the dialect's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into().into();
        self
    }

    /// Adds scopes to the token request. Default: none.
    pub fn scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let scopes = scopes.into_iter().map(Into::into);
        self.client.scopes.extend(scopes);
        self
    }

    /// Replaces the dialect's token endpoint: `https`, or loopback.
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.changed().token_url = url.into();
        self
    }

    /// Adds a field to the token request's body, or replaces the one of the same name.
    pub fn token_param(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        let params = &mut self.changed().token_params;
        params.insert(name.into(), value.into());
        self
    }

    /// Adds a header to the token request, or replaces the one of the same name.
    pub fn token_header(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        let (name, headers) = (name.into(), &mut self.changed().token_headers);
        headers.retain(|known, _| !known.eq_ignore_ascii_case(&name));
        headers.insert(name, value.into());
        self
    }

    /// Adds a value that the dialect's headers use by its name, such as an API key. It replaces one of the same name.
    /// See [`Dialect::header_values`].
    pub fn header_value(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        let values = &mut self.changed().header_values;
        values.insert(name.into(), value.into());
        self
    }

    /// Sets the token request's `User-Agent`, such as `my-app/1.0`. Default: that of the transport.
    pub fn user_agent(self, user_agent: impl Into<String>) -> Self {
        self.token_header("user-agent", user_agent.into())
    }

    /// Sets the rule that decides whether the API rejected the token. It replaces the dialect's statuses.
    pub fn rejection(mut self, rule: RejectionRule) -> Self {
        self.rejection = Some(rule);
        self
    }

    /// Sets the clocks. Default: [`Clock::system`]. Tests with paused time use [`Clock::tokio`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the label `provider` in metrics. Default: the source's name. Feature `metrics`.
    ///
    /// Give the sources of a pool one such name: see
    /// [`TokenSourceBuilder::metrics_name`](crate::TokenSourceBuilder::metrics_name).
    #[cfg(feature = "metrics")]
    pub fn metrics_name(mut self, name: impl Into<String>) -> Self {
        self.metrics_name = Some(name.into());
        self
    }

    /// Shares the pauses and the rate of the token endpoint with all sources that are given the same one. Default: the
    /// source shares nothing.
    ///
    /// Use it when many clients of one process call the same token endpoint. It is ignored by
    /// [`fetcher`](Self::fetcher): set it on the source that you put the fetcher in.
    pub fn token_endpoint(mut self, endpoint: &TokenEndpoint) -> Self {
        self.token_endpoint = Some(endpoint.clone());
        self
    }

    /// Calls a function with a record of each attempt at the token endpoint: the request and its answer, without
    /// secrets and tokens. Default: none, which costs nothing. A second call replaces the first function.
    ///
    /// Use it to connect a new bank, or for a diagnosis page. Do not use it for metrics: see
    /// [`TokenSource::status`](crate::TokenSource::status). The function runs on the task that fetches, before the
    /// answer is read: keep it short, and do not let it panic. An attempt that times out has a record, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::{ClientId, ClientSecret, client_credentials::{ClientCredentialsBuilder, Dialect}};
    ///
    /// let dialect = Dialect::new("partner", "https://login.partner.example/token");
    /// let builder = ClientCredentialsBuilder::new(dialect, ClientId::new("me")?)
    ///     .secret(ClientSecret::new("shh"))
    ///     .on_attempt(|record| eprint!("{record}"));
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn on_attempt(mut self, observe: impl Fn(&AttemptRecord) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer::new(observe));
        self
    }

    /// The dialect, to change a setting: a copy, if others share it.
    fn changed(&mut self) -> &mut Dialect {
        Arc::make_mut(&mut self.dialect)
    }

    /// Puts the builder's own settings into the dialect, and checks the whole.
    fn settle(&mut self) -> Result<(), ConfigError> {
        let checked = self.checked().map_err(|error| error.of(&self.name));
        checked.map_err(|error| self.without_secret(error))
    }

    fn checked(&mut self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        self.put_origins()?;
        self.dialect.derived().checked()?;
        self.client.check(&self.dialect)
    }
}
