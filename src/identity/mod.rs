//! What proves who the client is, and may change while the process runs.

mod secret;

pub use secret::Secret;
