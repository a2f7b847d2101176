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
//!     Ok::<_, BoxError>(Token::new("abc").expires_in(Duration::from_secs(300)))
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
//! # The way of a request
//!
//! ```text
//! request ──> middleware ──> lifecycle ──(Service<TokenRequest, Response = Token>)──> client_credentials ──> transport
//!             origin check,   one token,    the seam: any fetcher                       dialect, request,     any Tower
//!             attach, replay  one fetch                                                 answer                HTTP service
//!                                                                                          ^
//!                                                                                 provider: data only
//! ```
//!
//! | a token is | and a request |
//! |---|---|
//! | fresh | takes it and goes: no lock, no await |
//! | stale | takes it and goes; the first to see it starts a renewal behind itself |
//! | missing, expired, suspended by a refusal | waits for the one fetch under way, at most `acquire_timeout` |
//! | missing, and the source is backing off | fails at once with the error of the last fetch, which says when the next may be made |
//!
//! The numbers are in [`Policy`], the errors in [`OAuthError`].
//!
//! # Features
//!
//! - `reqwest` (default): a `reqwest` client, configured so that no secret crosses an origin.
//! - `rustls` (default): TLS for it.
//! - `reqwest-middleware`: the token source as a `reqwest_middleware::Middleware`.
//! - `testing`: the four banks as strict servers on loopback.
//!
//! The crate is useful with none of them: bring a Tower HTTP service.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod client_credentials;
pub mod provider;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;

mod duration;
mod error;
mod headers;
mod lane;
mod lifecycle;
mod margin;
mod middleware;
mod origin;
mod refusal;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
mod secret;
mod token;

#[cfg(feature = "reqwest-middleware")]
pub use self::reqwest_middleware::OAuthMiddleware;
pub use error::{BoxError, ConfigError, FailureClass, FetchError, OAuthError};
pub use headers::TokenHeaders;
pub use lifecycle::{
    BackOff, Changes, Clock, CountersSnapshot, IssuedToken, Policy, SourceState, Status,
    TokenSource, TokenSourceBuilder,
};
pub use margin::Margin;
pub use middleware::{NoReplay, OAuth, OAuthLayer, Replay, ResponseFuture};
pub use origin::Origin;
pub use refusal::{Refusal, RefusalRule};
pub use secret::{ClientId, ClientSecret, SecretRef};
pub use token::{FetchCause, Generation, Token, TokenRequest};

/// The README's code, compiled and run.
#[cfg(all(doctest, feature = "testing", feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;
