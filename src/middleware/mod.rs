//! The Tower middleware: checks where a request goes, attaches the token, and sees to rejections.

pub(crate) mod carried;
mod future;
mod inner;
mod layer;
mod retry;
mod send;
mod service;

pub use future::ResponseFuture;
pub use inner::InnerService;
pub use layer::OAuthLayer;
pub use retry::{NoRetry, RetryMode, RetryRejected};
pub use service::OAuth;
