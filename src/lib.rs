//! A Tower layer for **outgoing** HTTP that puts a valid OAuth 2 token on every request.
//!
//! [`OAuthLayer`] wraps any `Service<http::Request<B>>`. It reads the current token from a [`TokenSource`], and the
//! source gets its tokens from a fetcher. A fetcher is any `Service<TokenRequest, Response = Token>`. For the
//! client-credentials grant the crate builds one from data: see [`client_credentials`] and [`provider`].
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_oauth::{BoxError, OAuthLayer, Token, TokenRequest, TokenSource};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let source = TokenSource::builder(service_fn(|_: TokenRequest| async {
//!     Ok::<_, BoxError>(Token::new("abc").with_lifetime(Duration::from_secs(300)))
//! }))
//! .origin("https://api.example")
//! .build()?;
//!
//! let client = service_fn(|request: Request<String>| async move {
//!     assert_eq!(request.headers()["authorization"], "Bearer abc");
//!     Ok::<_, BoxError>(Response::new("paid"))
//! });
//! let mut api = ServiceBuilder::new().layer(OAuthLayer::new(source)).service(client);
//!
//! let request = Request::get("https://api.example/cob/1").body(String::new())?;
//! assert_eq!(api.ready().await?.call(request).await?.body(), &"paid");
//! # Ok(())
//! # }
//! ```
//!
//! # Guides
//!
//! - [`guide::call_a_bank`]: ANBIMA, Avista, Conta Simples, Bankly.
//! - [`guide::any_oauth_server`]: another server, or tokens from somewhere else.
//! - [`guide::add_a_bank`]: a bank as a TOML file, step by step.
//! - [`guide::mtls`]: client certificates that are renewed while running.
//! - [`guide::secrets_that_change`]: a client secret that is replaced without a restart.
//! - [`guide::signed_assertions`]: a JWT that the client signs, in place of a secret.
//! - [`guide::share_a_token`]: one token for all replicas, through Redis.
//! - [`guide::many_customers`]: a token source for each of thousands of customers.
//! - [`guide::stack`]: the order of time-outs, retries, redirects, tracing and limits.
//! - [`guide::grpc`]: a tonic client, unary and streaming calls.
//! - [`guide::test_your_service`]: banks on loopback, and paused clocks.
//! - [`guide::guarantees`]: the promises in numbers, and what is not promised.
//! - [`guide::moving_over`]: how to replace a token manager of your own.
//!
//! # How a request gets its token
//!
//! ```text
//! request ──> middleware            checks the origin, attaches the token, retries
//!                 │
//!                 v
//!             lifecycle             one current token, one fetch at a time
//!                 │
//!                 │  Service<TokenRequest, Response = Token>: any fetcher
//!                 v
//!             client_credentials    writes the token request, reads the answer
//!                 │        ^
//!                 │        └─────── provider: banks as data
//!                 v
//!             transport             any Tower HTTP service
//! ```
//!
//! | the token is | the request |
//! |---|---|
//! | fresh | takes it and goes, without a lock or an await |
//! | stale | takes it and goes; the first such request starts a refresh |
//! | missing or expired | waits for the current fetch, at most `policy.timeouts.acquire` |
//! | suspended after a rejection | waits for the new token, at most `policy.rejection.suspended_wait`, then takes the suspended one |
//! | missing during a back-off | fails at once; the error says when the next attempt is made |
//!
//! The numbers are in [`Policy`].
//!
//! # Errors
//!
//! A wrong setting is a [`ConfigError`] when you build. A request that gets no token fails with a [`BoxError`], in
//! which [`OAuthError::find`] finds the reason. Errors of the inner service pass through unchanged.
//!
//! If your service calls a bank for its own callers, answer them as follows. [`OAuthError::suggested_status`] returns
//! the status of the first four rows.
//!
//! | what happened | answer | because |
//! |---|---|---|
//! | the token endpoint denied the request for good ([`FailureClass::Permanent`]) | 500 | the configuration is wrong, and somebody must fix it |
//! | [`is_foreign_origin`](OAuthError::is_foreign_origin), [`is_closed`](OAuthError::is_closed), a request without its source, a call outside a Tokio runtime | 500 | the program is wrong |
//! | [`is_timeout`](OAuthError::is_timeout), or a time-out of your own | 504 | the result is not known yet |
//! | any other [`OAuthError`] | 503, with [`retry_after`](OAuthError::retry_after) as `Retry-After` | the failure is temporary |
//! | any other error | 502 | the bank could not be reached |
//! | the bank's API answers 401 or 403 | 502 | your credentials are at fault, not your caller's |
//!
//! The `Display` of an [`OAuthError`] is one line with all its causes. Log it, and count errors by their
//! [`kind`](OAuthError::kind). Do not show it to your callers: it has details of your account at the bank.
//!
//! # Features
//!
//! - `client-credentials` (default): the client-credentials grant, with dialects and providers as data. A fetcher of
//!   your own does not need it.
//! - `reqwest` (default): a `reqwest` client, configured so that it sends no secret to another origin.
//! - `rustls` (default): TLS for that client, and client certificates that are renewed while running, see [`identity`].
//! - `reqwest-middleware`: the token source as a `reqwest_middleware::Middleware`.
//! - `jwt`: clients that prove themselves by a JWT they sign, see [`Assertion`](client_credentials::Assertion).
//! - `metrics`: counts, durations and gauges for a recorder of your choice, see [`metrics`].
//! - `pool`: a source for each of many customers, see [`pool`].
//! - `redis`: one token for all replicas of a service, see [`shared`].
//! - `testing`: the four banks as strict servers on loopback.
//! - `testing-tls`: the same over TLS, with certificates made for the test.
//!
//! Without `reqwest`, bring a Tower HTTP service of your own. [`TokenSource`] and the middleware need no feature.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "client-credentials")]
pub mod client_credentials;
// Not as doc tests: the examples are run instead.
#[cfg(all(doc, not(doctest)))]
pub mod guide;
#[cfg(feature = "rustls")]
pub mod identity;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "pool")]
pub mod pool;
#[cfg(feature = "client-credentials")]
pub mod provider;
#[cfg(feature = "redis")]
pub mod shared;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;

#[cfg(any(feature = "client-credentials", feature = "testing"))]
mod algorithm;
mod duration;
mod error;
#[cfg(feature = "client-credentials")]
mod form;
mod headers;
mod lifecycle;
mod middleware;
mod origin;
mod policy;
mod rejection;
mod secret;
mod shard;
mod sharing;
mod table;
mod text;
mod token;
#[cfg(feature = "reqwest")]
mod unless;
mod unwind;

#[cfg(any(feature = "client-credentials", feature = "testing"))]
pub use algorithm::SigningAlgorithm;
pub use error::{
    BoxError, ConfigError, ConfigErrorKind, FailureClass, FetchError, FetchErrorKind, OAuthError,
    OAuthErrorKind,
};
pub use headers::TokenHeaders;
pub use lifecycle::{
    CertificateStatus, Changes, Clock, Counters, Health, HealthIssue, HealthIssueKind, IssuedToken,
    LastFailure, SourceHealth, SourceState, Status, TokenEndpoint, TokenEndpointBuilder,
    TokenEndpointStatus, TokenSource, TokenSourceBuilder,
};
#[cfg(feature = "reqwest-middleware")]
pub use middleware::OAuthMiddleware;
pub use middleware::{
    FromExtension, InnerService, NoRetry, OAuth, OAuthLayer, PickSource, ResendableBody,
    ResendableBodyLayer, ResendableBodyService, ResponseFuture, RetryMode, RetryRejected,
};
pub use origin::Origin;
pub use policy::{
    BackOff, BackOffPolicy, LifetimePolicy, Margin, Policy, RefreshPolicy, RejectionPolicy,
    RetryPolicy, Timeouts,
};
pub use rejection::{Rejection, RejectionRule};
#[cfg(feature = "client-credentials")]
pub use secret::Secret;
pub use secret::{ClientId, ClientSecret, SecretRef};
pub use sharing::{Sharing, SharingStatus};
pub use token::{FetchCause, Generation, ObtainedFrom, Token, TokenRequest};

/// The README's code, compiled and run.
#[cfg(all(
    doctest,
    feature = "client-credentials",
    feature = "testing",
    feature = "reqwest"
))]
#[doc = include_str!("../README.md")]
struct Readme;
