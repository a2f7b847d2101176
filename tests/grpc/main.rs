//! tonic over the layer, over sockets: calls of each kind, and what a caller sees when there is no token.

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod errors;
mod server;
mod stack;
mod trailers;
