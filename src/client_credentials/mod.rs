//! The client-credentials grant (RFC 6749 §4.4): a [`Dialect`] says as data how a provider wants to be asked, a
//! [`ClientCredentialsBuilder`] adds the client's credentials, and [`ClientCredentials`] asks, over any Tower HTTP
//! service.

mod attempt_record;
mod build;
mod dialect;
mod endpoint;
mod exchange;
mod fetcher;
#[cfg(feature = "reqwest")]
mod own_thread;
mod request;
mod response;
#[cfg(test)]
pub(crate) mod tests;
mod transport_error;

pub use attempt_record::{AttemptRecord, RecordedValue};
pub use build::ClientCredentialsBuilder;
pub use dialect::{
    BodyEncoding, CredentialPlacement, Dialect, ExpiryFormat, FailureRow, Grant, ParamValue,
    RejectionStatuses, ResponseFields, ScopeFormat, ScopeRule, SecretLength,
};
pub use exchange::HttpService;
pub use fetcher::ClientCredentials;
