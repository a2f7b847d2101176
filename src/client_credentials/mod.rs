//! The client-credentials grant (RFC 6749 §4.4): a [`Dialect`] says as data how a provider wants to be asked, a
//! [`ClientCredentialsBuilder`] adds the client's credentials, and [`ClientCredentials`] asks, over any Tower HTTP
//! service.

mod attempt_record;
mod body;
mod build;
mod credentials;
mod dialect;
mod encode;
mod endpoint;
mod exchange;
mod expiry;
mod failure;
mod fetcher;
mod file;
mod json;
mod members;
#[cfg(feature = "reqwest")]
mod own_thread;
mod params;
mod reader;
mod rejection;
mod request;
mod response;
mod retry_after;
mod scope;
mod scrub;
#[cfg(test)]
pub(crate) mod tests;
mod transport_error;
mod validate;

pub use attempt_record::{AttemptRecord, RecordedValue};
pub use build::ClientCredentialsBuilder;
pub use credentials::{BodyEncoding, CredentialPlacement, Grant, SecretLength};
pub use dialect::Dialect;
pub use exchange::HttpService;
pub use expiry::ExpiryFormat;
pub use failure::FailureRow;
pub use fetcher::ClientCredentials;
pub use params::ParamValue;
pub use rejection::RejectionStatuses;
pub use response::ResponseFields;
pub use scope::{ScopeFormat, ScopeRule};
