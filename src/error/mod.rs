//! The errors: of a build ([`ConfigError`]), of a fetch ([`FetchError`]), and of a request ([`OAuthError`]).

use std::{error::Error, io};

mod config;
mod fetch;
mod kind;
mod oauth;
pub(crate) mod text;

pub use config::ConfigError;
pub(crate) use fetch::CHECK_NETWORK;
pub use fetch::{FailureClass, FetchError};
pub use kind::{ConfigErrorKind, FetchErrorKind, OAuthErrorKind};
pub use oauth::OAuthError;
pub(crate) use oauth::{NextAttempt, Reason};

/// An error and its causes, including the inner error of an `io::Error`, which is not its `source()`.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let carried = error.downcast_ref().and_then(io::Error::get_ref);
        carried
            .map(|carried| carried as &(dyn Error + 'static))
            .or_else(|| error.source())
    })
}

/// The boxed error of tower's own middleware, and of this crate's services.
pub type BoxError = tower::BoxError;
