//! Banks over TLS: an authority made for the test, and what it issues.

mod authority;
mod certificate_issuer;
mod clients;
mod serve;
mod serving;

pub use authority::{Authority, ClientCertificateBuilder, Identity};
pub use serve::Tls;
pub(super) use serving::Serving;
