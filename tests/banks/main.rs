//! The embedded banks over real sockets: each takes exactly what its document says, and each fault does what it says.

#[path = "../support/mod.rs"]
mod support;

mod wire;

mod api;
mod clients;
mod expiry;
mod faults;
mod foreign;
mod handle;
mod rate;
mod tls;
mod token_requests;
