//! From a dialect and a client's credentials to something that fetches tokens.

use bytes::Bytes;

use super::{
    credentials::Client,
    dialect::Dialect,
    exchange::{self, HttpService},
    fetcher::ClientCredentials,
    params::ParamValue,
    validate,
};
use crate::{
    ClientId, ClientSecret, ConfigError, Origin, RefusalRule,
    lifecycle::{Clock, Policy, TokenSource},
    origin::AllowedOrigins,
};

/// Collects what a client-credentials fetcher needs: a [`Dialect`], the client's id and secret, scopes, and what is
/// to differ from the dialect. Nothing is checked before the last step, and every mistake is reported there.
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
    dialect: Dialect,
    client: Client,
    origins: Vec<String>,
    plain_http: Vec<String>,
    refusal: Option<RefusalRule>,
    policy: Policy,
    clock: Clock,
}

impl ClientCredentialsBuilder {
    /// Begins with a dialect and the client's id.
    pub fn new(dialect: Dialect, id: ClientId) -> Self {
        Self {
            policy: policy_of(&dialect),
            dialect,
            client: Client {
                id,
                secret: None,
                scopes: Vec::new(),
            },
            origins: Vec::new(),
            plain_http: Vec::new(),
            refusal: None,
            clock: Clock::system(),
        }
    }

    /// The client's secret. Every dialect needs one, except where the client proves itself by its TLS certificate.
    pub fn secret(mut self, secret: ClientSecret) -> Self {
        self.client.secret = Some(secret);
        self
    }

    /// The scopes to ask for, in addition to those named before. Default: none.
    pub fn scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let scopes = scopes.into_iter().map(Into::into);
        self.client.scopes.extend(scopes);
        self
    }

    /// Another token endpoint than the dialect's: `https`, or loopback.
    pub fn token_url(mut self, url: impl Into<String>) -> Self {
        self.dialect.token_url = url.into();
        self
    }

    /// An origin that the token may be sent to, such as `https://api.example`. The first call replaces the dialect's
    /// own origins, each further one adds to it.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Lets an origin be spoken to by plain `http`, the token endpoint's or one named with [`origin`](Self::origin).
    /// Whoever can listen in between then has the secret and the token: only for a mesh that adds TLS, or the like.
    pub fn danger_allow_http(mut self, origin: impl Into<String>) -> Self {
        self.plain_http.push(origin.into());
        self
    }

    /// A further field of the token request's body; one of the same name is replaced.
    pub fn token_param(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        let params = &mut self.dialect.token_params;
        params.insert(name.into(), value.into());
        self
    }

    /// A further header of the token request; one of the same name is replaced.
    pub fn token_header(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        let (name, headers) = (name.into(), &mut self.dialect.token_headers);
        headers.retain(|known, _| !known.eq_ignore_ascii_case(&name));
        headers.insert(name, value.into());
        self
    }

    /// The token request's `User-Agent`, such as `my-app/1.0`.
    pub fn user_agent(self, user_agent: impl Into<String>) -> Self {
        self.token_header("user-agent", user_agent.into())
    }

    /// What counts as a refusal of the token, where the dialect's statuses do not tell. It replaces them.
    pub fn refusal(mut self, rule: RefusalRule) -> Self {
        self.refusal = Some(rule);
        self
    }

    /// Changes numbers of the policy, after the dialect has set its own.
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// The clocks. Default: [`Clock::system`]; tests with paused time use [`Clock::tokio`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A token source over a `reqwest` client of its own. It opens a connection for each token request and keeps none, so
    /// that it can be used from several runtimes.
    ///
    /// Certificates, time-outs and proxies are the builder's; redirects and referer are switched off, and there is no
    /// proxy for loopback (see [`ReqwestService::new`](crate::transport::ReqwestService::new)).
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
    ///     .build(reqwest::Client::builder())?;
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn build(mut self, client: reqwest::ClientBuilder) -> Result<TokenSource, ConfigError> {
        self.settle()?;
        let destination = validate::token_origin(&self.dialect)?;
        // A connection lives on the runtime that opened it. Kept, it would be used from another one when its own stands
        // still, and never answer.
        let client = client.pool_max_idle_per_host(0);
        let transport = crate::transport::ReqwestService::new(client, &destination)?;
        self.build_over::<_, reqwest::Body>(transport)
    }

    /// A token source over any Tower HTTP service, such as hyper-util's client.
    ///
    /// A transport that takes several kinds of body leaves the choice open: name one, as in
    /// `build_over::<_, http_body_util::Full<bytes::Bytes>>(transport)`.
    ///
    /// The transport must not follow redirects, or it takes the secret along to wherever the answer points.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot work, and the rule that it broke.
    pub fn build_over<T, B>(mut self, transport: T) -> Result<TokenSource, ConfigError>
    where
        T: HttpService<B>,
        B: From<Bytes> + 'static,
    {
        self.settle()?;
        let refusal = match self.refusal {
            Some(rule) => rule,
            None => self.dialect.refusal.rule()?,
        };
        let name = self.dialect.name.clone();
        let headers = self.dialect.headers.clone().bind(&self.client.id);
        let origins = allowed_origins(&self.dialect);
        let exchange = exchange::over(transport);
        let fetcher = ClientCredentials::new(self.dialect, &self.client, exchange)?;
        TokenSource::builder(fetcher)
            .name(name)
            .headers(headers)
            .origins(origins)
            .refusal(refusal)
            .policy(|policy| *policy = self.policy)
            .clock(self.clock)
            .build()
    }

    /// The fetcher alone, over any Tower HTTP service whose request body can be made of bytes.
    ///
    /// A transport that takes several kinds of body leaves the choice open: name one, as in
    /// `fetcher::<_, http_body_util::Full<bytes::Bytes>>(transport)`.
    ///
    /// The transport must not follow redirects, or it takes the secret along to wherever the answer points.
    ///
    /// # Errors
    ///
    /// Names the first setting that cannot work, and the rule that it broke.
    pub fn fetcher<T, B>(mut self, transport: T) -> Result<ClientCredentials, ConfigError>
    where
        T: HttpService<B>,
        B: From<Bytes> + 'static,
    {
        self.settle()?;
        ClientCredentials::new(self.dialect, &self.client, exchange::over(transport))
    }

    /// Puts the builder's own settings into the dialect, and checks the whole.
    fn settle(&mut self) -> Result<(), ConfigError> {
        if !self.origins.is_empty() {
            self.dialect.origins = parsed(&self.origins)?;
        }
        let plain_http: Vec<Origin> = parsed(&self.plain_http)?;
        self.dialect.danger_allow_http.extend(plain_http);
        validate::dialect(&self.dialect)?;
        validate::client(&self.dialect, &self.client)
    }
}

fn parsed(origins: &[String]) -> Result<Vec<Origin>, ConfigError> {
    origins.iter().map(|origin| origin.parse()).collect()
}

/// Where the token may go. What is said of plain `http` permits it and names nothing: the token endpoint, which it may
/// be said of, is sent no token where the API's origins are named.
fn allowed_origins(dialect: &Dialect) -> AllowedOrigins {
    let mut allowed = AllowedOrigins::default();
    dialect
        .origins
        .iter()
        .cloned()
        .for_each(|origin| allowed.allow(origin));
    let plain_http = dialect.danger_allow_http.iter().cloned();
    plain_http.for_each(|origin| allowed.permit_http(origin));
    allowed
}

fn policy_of(dialect: &Dialect) -> Policy {
    let default = Policy::default();
    Policy {
        renewal_margin: dialect.renewal_margin.unwrap_or(default.renewal_margin),
        default_lifetime: dialect.default_lifetime.unwrap_or(default.default_lifetime),
        max_lifetime: dialect.max_lifetime.unwrap_or(default.max_lifetime),
        // Its own word on how long to wait is to be believed.
        max_retry_after: default
            .max_retry_after
            .max(dialect.wait_after_429.unwrap_or_default()),
        single_active: dialect.single_active,
        ..default
    }
}
