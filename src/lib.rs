//! A Tower layer for **outgoing** HTTP that puts a valid OAuth 2 token on every request.
//!
//! [`OAuthLayer`] wraps any `Service<http::Request<B>>`. It reads the current token from a [`TokenSource`], which gets
//! it from a fetcher: any `Service<TokenRequest, Response = Token>`, and for the client-credentials grant one that is
//! built from data ([`client_credentials`], [`provider`]).
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
//! - [`guide::any_oauth_server`]: another server, or tokens of your own making.
//! - [`guide::add_a_bank`]: a bank as a TOML file, step by step.
//! - [`guide::stack`]: the order of time-outs, retries, redirects, tracing and limits.
//! - [`guide::test_your_service`]: banks on loopback, and paused clocks.
//! - [`guide::guarantees`]: what is promised, in numbers, and what is not.
//! - [`guide::moving_over`]: from a token manager that you wrote yourself.
//!
//! # The way of a request
//!
//! ```text
//! request ──> middleware ──> lifecycle ──(Service<TokenRequest, Response = Token>)──> client_credentials ──> transport
//!             origin check,   one token,    the seam: any fetcher                       dialect, request,     any Tower
//!             attach, retry  one fetch                                                 answer                HTTP service
//!                                                                                          ^
//!                                                                                 provider: data only
//! ```
//!
//! | a token is | and a request |
//! |---|---|
//! | fresh | takes it and goes: no lock, no await |
//! | stale | takes it and goes; the first to see it starts a refresh behind itself |
//! | missing or expired | waits for the one fetch under way, at most `timeouts.acquire` |
//! | suspended by a rejection | waits for it at most `suspended_wait`, then takes the suspended token and goes |
//! | missing, and the source is backing off | fails at once with the error of the last fetch, which says when the next may be made |
//!
//! The numbers are in [`Policy`].
//!
//! # Errors
//!
//! A setting that cannot work is a [`ConfigError`] when something is built. A request that gets no token fails with a
//! [`BoxError`] in which [`OAuthError::find`] finds the reason; all other errors are the inner service's, as they are.
//!
//! A service that calls a bank for callers of its own can answer them this. The first four rows are
//! [`OAuthError::suggested_status`].
//!
//! | what happened | answer | because |
//! |---|---|---|
//! | the token endpoint denied the request for good ([`FailureClass::Permanent`]) | 500 | the configuration is wrong: wake somebody up |
//! | [`is_foreign_origin`](OAuthError::is_foreign_origin), [`is_closed`](OAuthError::is_closed), a call outside a Tokio runtime | 500 | so is the program |
//! | [`is_timeout`](OAuthError::is_timeout), or a time-out of your own | 504 | nobody knows yet |
//! | any other [`OAuthError`] | 503, with [`retry_after`](OAuthError::retry_after) as `Retry-After` | it passes, and the source says when to come back |
//! | any other error | 502 | the bank could not be reached |
//! | the bank's API answers 401 or 403 | 502 | they speak of your credentials, not of your caller's |
//!
//! An [`OAuthError`]'s `Display` is one line that holds its causes: log it, and count by its
//! [`kind`](OAuthError::kind). Do not hand it on: what it says is between you and the bank.
//!
//! # Features
//!
//! - `reqwest` (default): a `reqwest` client, configured so that no secret crosses an origin.
//! - `rustls` (default): TLS for it.
//! - `reqwest-middleware`: the token source as a `reqwest_middleware::Middleware`.
//! - `testing`: the four banks as strict servers on loopback.
//! - `testing-tls`: the same over TLS, with certificates made for the test.
//!
//! The crate is useful with none of them: bring a Tower HTTP service.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod client_credentials;
#[cfg(any(doc, doctest))]
pub mod guide;
pub mod provider;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;

mod duration;
mod error;
mod headers;
mod lifecycle;
mod middleware;
mod origin;
mod policy;
mod rejection;
mod secret;
mod shard;
mod table;
mod text;
mod token;

pub use error::{
    BoxError, ConfigError, FailureClass, FetchError, FetchErrorKind, OAuthError, OAuthErrorKind,
};
pub use headers::TokenHeaders;
pub use lifecycle::{
    Changes, Clock, Counters, IssuedToken, LastFailure, SourceState, Status, TokenSource,
    TokenSourceBuilder,
};
#[cfg(feature = "reqwest-middleware")]
pub use middleware::OAuthMiddleware;
pub use middleware::{
    InnerService, NoRetry, OAuth, OAuthLayer, ResponseFuture, RetryMode, RetryRejected,
};
pub use origin::Origin;
pub use policy::{
    BackOff, BackOffPolicy, LifetimePolicy, Margin, Policy, RefreshPolicy, RejectionPolicy,
    RetryPolicy, Timeouts,
};
pub use rejection::{Rejection, RejectionRule};
pub use secret::{ClientId, ClientSecret, SecretRef};
pub use token::{FetchCause, Generation, Token, TokenRequest};

/// The README's code, compiled and run.
#[cfg(all(doctest, feature = "testing", feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;
