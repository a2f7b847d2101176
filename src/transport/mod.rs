//! HTTP clients as Tower services: what a token endpoint or an API is reached through.
//!
//! Any Tower HTTP service serves, hyper-util's client as it is. For `reqwest`, whose client is a service of its own
//! request type, there is an adapter.

#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(all(test, feature = "reqwest"))]
pub(crate) mod tests;

#[cfg(feature = "reqwest")]
pub use reqwest::ReqwestService;
