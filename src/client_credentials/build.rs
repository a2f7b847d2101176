//! Builds a token source or a fetcher from a dialect and a client's credentials.

mod assertion;
mod secret;

use std::time::Duration;

use bytes::Bytes;

#[cfg(feature = "jwt")]
use self::assertion::Signing;
#[cfg(feature = "reqwest")]
use super::own_thread;
use super::{
    attempt_record::{AttemptRecord, Observer},
    dialect::{Dialect, ParamValue},
    exchange::{self, Exchange, HttpService},
    fetcher::ClientCredentials,
    request::Client,
    response::Lifetimes,
};
use crate::{
    BackOff, ClientId, ConfigError, Origin, RejectionRule,
    identity::Secret,
    lifecycle::{Clock, TokenSource},
    origin::AllowedOrigins,
    policy::Policy,
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
    pub(super) dialect: Dialect,
    pub(super) client: Client,
    secret: Option<Secret>,
    #[cfg(feature = "jwt")]
    signing: Option<Signing>,
    /// These replace the dialect's origins. The last step reports the first mistake.
    origins: Origins,
    plain_http: Origins,
    rejection: Option<RejectionRule>,
    pub(super) policy: Policy,
    clock: Clock,
    observer: Option<Observer>,
    #[cfg(feature = "rustls")]
    pub(super) identity: Option<crate::identity::Identity>,
    #[cfg(feature = "redis")]
    pub(super) sharing: super::share::Sharing,
}

impl ClientCredentialsBuilder {
    /// Creates a builder from a dialect and the client's id.
    pub fn new(dialect: Dialect, id: ClientId) -> Self {
        Self {
            policy: policy_of(&dialect),
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
            #[cfg(feature = "rustls")]
            identity: None,
            #[cfg(feature = "redis")]
            sharing: Default::default(),
        }
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
        self.dialect.token_url = url.into();
        self
    }

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

    /// Adds a field to the token request's body, or replaces the one of the same name.
    pub fn token_param(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        let params = &mut self.dialect.token_params;
        params.insert(name.into(), value.into());
        self
    }

    /// Adds a header to the token request, or replaces the one of the same name.
    pub fn token_header(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        let (name, headers) = (name.into(), &mut self.dialect.token_headers);
        headers.retain(|known, _| !known.eq_ignore_ascii_case(&name));
        headers.insert(name, value.into());
        self
    }

    /// Adds a value that the dialect's headers use by its name, such as an API key. It replaces one of the same name. See
    /// [`Dialect::header_values`].
    pub fn header_value(mut self, name: impl Into<String>, value: impl Into<ParamValue>) -> Self {
        self.dialect.header_values.insert(name.into(), value.into());
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

    /// Changes the policy. The change runs on a policy that already holds the dialect's numbers.
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// Sets the clocks. Default: [`Clock::system`]. Tests with paused time use [`Clock::tokio`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Calls a function with a record of each attempt at the token endpoint: the request and its answer, without
    /// secrets and tokens. Default: none, which costs nothing. A second call replaces the first function.
    ///
    /// Use it to connect a new bank, or for a diagnosis page. Do not use it for metrics: see [`TokenSource::status`].
    /// The function runs on the task that fetches, before the answer is read: keep it short, and do not let it panic.
    /// An attempt that times out has a record, too.
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

    /// Builds a token source over a `reqwest` client of its own.
    ///
    /// Certificates, time-outs and proxies are the builder's; redirects and referer are switched off, and there is no
    /// proxy for loopback (see [`ReqwestService::new`](crate::transport::ReqwestService::new)).
    ///
    /// Each token request runs on its own thread, with its own connection: a token endpoint that keeps the client
    /// parsing holds up no task of yours, and the time-outs hold.
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
    #[cfg(feature = "reqwest")]
    pub fn build_reqwest(
        mut self,
        client: reqwest::ClientBuilder,
    ) -> Result<TokenSource, ConfigError> {
        self.settle()?;
        #[cfg(feature = "rustls")]
        let client = self.with_fixed_identity(client)?;
        // A connection lives on the runtime that opened it, which ends with its request.
        let client = client.pool_max_idle_per_host(0);
        let transport = self
            .dialect
            .token_origin()
            .and_then(|destination| crate::transport::ReqwestService::new(client, &destination))
            .map_err(|error| error.of(&self.dialect.name))?;
        let exchange = exchange::over::<_, reqwest::Body>(transport);
        self.source_over(own_thread::each_on_its_own(exchange))
    }

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
        let name = self.dialect.name.clone();
        let exchange = self.asserting(exchange, Some(self.policy.timeouts.attempt))?;
        // The policy decides: it holds the dialect's lifetimes and the user's changes.
        let credential = self.credential(Lifetimes::default())?;
        let rejection = match self.rejection {
            Some(rule) => rule,
            None => self.dialect.rejection.rule()?,
        };
        let headers = self.dialect.headers.clone().bind(&self.client.id);
        let origins = allowed_origins(&self.dialect);
        #[cfg(feature = "redis")]
        let shared = self
            .sharing
            .over(
                &self.dialect,
                &self.client,
                self.secret.as_ref(),
                &self.policy,
            )
            .map_err(|error| error.of(&name))?;
        let fetcher =
            ClientCredentials::new(credential, exchange).map_err(|error| error.of(&name))?;
        #[cfg(feature = "rustls")]
        let fetcher = fetcher.showing(self.identity.clone());
        let endpoint = fetcher.place().to_owned();
        let changed = fetcher.can_change().then(|| fetcher.credential_changed());
        #[cfg(feature = "redis")]
        let mut source = shared.source(fetcher, &self.policy, &self.clock);
        #[cfg(not(feature = "redis"))]
        let mut source = TokenSource::builder(fetcher);
        if let Some(changed) = changed {
            source = source.credential_changed(changed);
        }
        #[cfg(feature = "rustls")]
        if let Some(identity) = &self.identity {
            source = source.identity(identity);
        }
        source
            .name(name)
            .endpoint(&endpoint)
            .headers(headers)
            .origins(origins)
            .rejection(rejection)
            .policy(|policy| *policy = self.policy)
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
        let name = self.dialect.name.clone();
        let exchange = self.asserting(exchange::over(transport), None)?;
        let credential = self.credential(lifetimes)?;
        let fetcher =
            ClientCredentials::new(credential, exchange).map_err(|error| error.of(&name))?;
        #[cfg(feature = "rustls")]
        let fetcher = fetcher.showing(self.identity);
        Ok(fetcher)
    }

    /// The lifetimes that the user set, else the dialect's. What neither sets is left to the source that the fetcher
    /// will be in.
    fn stated_lifetimes(&self) -> Lifetimes {
        let untouched = policy_of(&self.dialect);
        let last = |own: Duration, untouched, dialect| match own == untouched {
            true => dialect,
            false => Some(own),
        };
        Lifetimes {
            default: last(
                self.policy.lifetime.default,
                untouched.lifetime.default,
                self.dialect.default_lifetime,
            ),
            max: last(
                self.policy.lifetime.max,
                untouched.lifetime.max,
                self.dialect.max_lifetime,
            ),
        }
    }

    /// Puts the builder's own settings into the dialect, and checks the whole.
    pub(super) fn settle(&mut self) -> Result<(), ConfigError> {
        self.checked().map_err(|error| self.without_secret(error))
    }

    fn checked(&mut self) -> Result<(), ConfigError> {
        self.put_origins()
            .map_err(|error| error.of(&self.dialect.name))?;
        self.dialect.check()?;
        self.client
            .check(&self.dialect)
            .map_err(|error| error.of(&self.dialect.name))
    }

    fn put_origins(&mut self) -> Result<(), ConfigError> {
        let origins = self.origins.clone()?;
        if !origins.is_empty() {
            self.dialect.origins = origins;
        }
        self.dialect
            .danger_allow_http
            .extend(self.plain_http.clone()?);
        Ok(())
    }
}

type Origins = Result<Vec<Origin>, ConfigError>;

fn with(origins: Origins, origin: &str) -> Origins {
    let mut origins = origins?;
    origins.push(origin.parse()?);
    Ok(origins)
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

/// The defaults, with what the dialect sets.
fn policy_of(dialect: &Dialect) -> Policy {
    let mut policy = Policy::default();
    policy.refresh.single_active = dialect.single_active;
    set(&mut policy.refresh.margin, dialect.refresh_margin);
    set(&mut policy.lifetime.default, dialect.default_lifetime);
    set(&mut policy.lifetime.max, dialect.max_lifetime);
    // A wait that the dialect names is honoured in full.
    let longest = &mut policy.retry.max_retry_after;
    let blocked = dialect.blocked.as_ref().map(|it| it.wait);
    *longest = (*longest).max(dialect.wait_after_429.max(blocked).unwrap_or_default());
    if let Some(interval) = dialect.min_fetch_interval {
        space(&mut policy, interval);
    }
    policy
}

/// Keeps an interval between any two token requests: one attempt a fetch, and no back-off that is shorter.
fn space(policy: &mut Policy, interval: Duration) {
    let back_off = &mut policy.back_off;
    back_off.min_fetch_interval = back_off.min_fetch_interval.max(interval);
    for pause in [
        &mut back_off.transient,
        &mut back_off.unclear,
        &mut back_off.permanent,
    ] {
        *pause = BackOff::new(pause.first.max(interval), pause.max.max(interval));
    }
    policy.retry.attempts = 1;
    // A request waits until the interval is over, and for the fetch.
    policy.timeouts.acquire += interval;
}

fn set<T>(number: &mut T, stated: Option<T>) {
    if let Some(stated) = stated {
        *number = stated;
    }
}
