//! Makes the JWT by which a client proves who it is (RFC 7523): claims, header and signature. The key is in memory, or
//! a Tower service signs.

mod key;
mod signer;
#[cfg(all(test, feature = "testing"))]
mod tests;
mod writer;

pub use self::{key::SigningKey, signer::SigningRequest};
pub(super) use self::{signer::Signer, writer::AssertionWriter};
