//! What can go wrong: when something is built ([`ConfigError`]), when a token is fetched
//! ([`FetchError`]), and what a caller of the layer sees ([`OAuthError`]).

mod config;
mod fetch;
mod oauth;

pub use config::ConfigError;
pub(crate) use fetch::FetchErrorKind;
pub use fetch::{FailureClass, FetchError};
pub use oauth::OAuthError;
pub(crate) use oauth::OAuthErrorKind;

/// The boxed error of tower's own middleware, and of this crate's services.
pub type BoxError = tower::BoxError;
