//! The Tower middleware: checks where a request goes, attaches the token, and sees to refusals.

pub(crate) mod carried;
mod future;
mod layer;
mod replay;
mod send;
mod service;

pub use future::ResponseFuture;
pub use layer::OAuthLayer;
pub use replay::{NoReplay, Replay};
pub use service::OAuth;
