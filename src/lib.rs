#![doc = "A Tower layer that puts a valid OAuth 2 token on every outgoing request."]

pub mod client_credentials;
mod duration;
mod error;
mod headers;
mod margin;
mod origin;
pub mod provider;
mod refusal;
mod secret;
mod token;
pub mod transport;

pub use error::{BoxError, ConfigError, FailureClass, FetchError, OAuthError};
pub use headers::TokenHeaders;
pub use margin::Margin;
pub use origin::Origin;
pub use refusal::{Refusal, RefusalRule};
pub use secret::{ClientId, ClientSecret, SecretRef};
pub use token::{FetchCause, Generation, Token, TokenRequest};
