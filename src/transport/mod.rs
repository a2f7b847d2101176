//! HTTP clients as Tower services, to reach a token endpoint or an API.
//!
//! Any Tower HTTP service works, such as hyper-util's client. The client of `reqwest` has its own request type, so it
//! needs this adapter.

#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(all(test, feature = "reqwest"))]
pub(crate) mod tests;
#[cfg(feature = "reqwest")]
mod thread;

#[cfg(feature = "reqwest")]
pub use self::{reqwest::ReqwestService, thread::ReqwestThread};
