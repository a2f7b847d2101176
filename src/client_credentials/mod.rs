//! The client-credentials grant (RFC 6749 §4.4). A [`Dialect`] describes a provider's token endpoint as data. A
//! [`ClientCredentialsBuilder`] adds the client's credentials, and builds a token source or a [`ClientCredentials`]
//! fetcher over any Tower HTTP service.
//!
//! Inside: `dialect` is the data, `request` writes a token request, `response` reads its answer. `request` and
//! `response` know the dialect and not each other; the files beside them put the three together.

#[cfg(feature = "jwt")]
mod asserting;
#[cfg(feature = "jwt")]
mod assertion;
mod attempt_record;
mod build;
mod credential;
mod dialect;
mod endpoint;
mod exchange;
mod fetcher;
#[cfg(feature = "reqwest")]
mod own_thread;
mod request;
mod response;
mod shared_service;
#[cfg(test)]
pub(crate) mod tests;
mod transport_error;

#[cfg(feature = "jwt")]
pub use assertion::{SigningKey, SigningRequest};
pub use attempt_record::{AttemptRecord, RecordedValue};
pub use build::ClientCredentialsBuilder;
pub use dialect::{
    Assertion, AssertionUse, Audience, Blocked, BodyEncoding, ClaimValue, CredentialPlacement,
    Dialect, ExpiryFormat, FailureRow, Grant, ParamValue, RejectionStatuses, ResponseFields,
    ScopeFormat, ScopeRule, SecretLength,
};
pub use exchange::HttpService;
pub use fetcher::ClientCredentials;
