#![doc = "A Tower layer that puts a valid OAuth 2 token on every outgoing request."]

pub mod client_credentials;
mod duration;
mod error;
mod headers;
mod lifecycle;
mod margin;
mod middleware;
mod origin;
pub mod provider;
mod refusal;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
mod secret;
mod token;
pub mod transport;

#[cfg(feature = "testing")]
pub mod testing;

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
