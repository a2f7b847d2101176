//! What can go wrong: when something is built ([`ConfigError`]), when a token is fetched
//! ([`FetchError`]), and what a caller of the layer sees ([`OAuthError`]).

use std::{error::Error, io};

mod config;
mod fetch;
mod oauth;

pub use config::ConfigError;
pub(crate) use fetch::FetchErrorKind;
pub use fetch::{FailureClass, FetchError};
pub use oauth::OAuthError;
pub(crate) use oauth::OAuthErrorKind;

/// An error and all that caused it, also what an `io::Error` carries without calling it its source.
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
