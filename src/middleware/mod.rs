//! The Tower middleware and, beside it, the one for `reqwest-middleware`: each checks where a request goes, attaches
//! the token, and reports rejections.

mod body;
mod carried;
mod future;
mod inner;
mod layer;
mod pick;
#[cfg(feature = "reqwest-middleware")]
mod reqwest;
mod retry;
mod send;
mod service;

#[cfg(feature = "reqwest-middleware")]
pub use self::reqwest::OAuthMiddleware;
pub use self::{
    body::{ResendableBody, ResendableBodyLayer, ResendableBodyService},
    future::ResponseFuture,
    inner::InnerService,
    layer::OAuthLayer,
    pick::{FromExtension, PickSource},
    retry::{NoRetry, RetryMode, RetryRejected},
    service::OAuth,
};
