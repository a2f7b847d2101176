use http::Extensions;

use crate::{
    error::{OAuthError, Reason},
    lifecycle::{Guard, TokenSource},
    origin::Origin,
};

/// Where an [`OAuthLayer`](crate::OAuthLayer) finds the source of a request: a [`TokenSource`] of its own, or
/// [`FromExtension`]. Sealed: there are no others.
pub trait PickSource: Clone {
    #[doc(hidden)]
    fn pick(&self, extensions: &Extensions) -> Result<Guard, OAuthError>;

    /// Whether the token may go to where relative URIs lead.
    #[doc(hidden)]
    fn permits_relative(&self, source: &Guard) -> Result<(), OAuthError>;
}

impl PickSource for TokenSource {
    #[inline]
    fn pick(&self, _: &Extensions) -> Result<Guard, OAuthError> {
        Ok(self.guard())
    }

    /// The layer asked when it was made.
    #[inline]
    fn permits_relative(&self, _: &Guard) -> Result<(), OAuthError> {
        Ok(())
    }
}

/// Each request brings its source in its extensions; see [`OAuthLayer::from_extension`](crate::OAuthLayer::from_extension).
#[derive(Clone, Debug, Default)]
pub struct FromExtension {
    pub(super) relative_to: Option<Origin>,
}

impl PickSource for FromExtension {
    fn pick(&self, extensions: &Extensions) -> Result<Guard, OAuthError> {
        let source = extensions.get().map(TokenSource::guard);
        source.ok_or_else(|| OAuthError::new("oauth".into(), Reason::NoSource, None))
    }

    fn permits_relative(&self, source: &Guard) -> Result<(), OAuthError> {
        let Some(origin) = &self.relative_to else {
            return Ok(());
        };
        let permitted = source.permits_origin(origin);
        permitted.map_err(|error| source.foreign_origin(error.rule()))
    }
}
