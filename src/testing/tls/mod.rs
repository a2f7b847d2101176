//! Banks over TLS: an authority made for the test, and what it issues.

mod authority;
mod certificate_issuer;
mod serve;

pub use authority::{Authority, Identity};
pub use serve::Tls;
