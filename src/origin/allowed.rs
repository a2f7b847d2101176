use std::{fmt, sync::Arc};

use http::Uri;

use super::{Origin, Target, has_path_of_its_own, target::is_surely_secure};
use crate::error::{ConfigError, ConfigErrorKind};

/// The origins that a token may be sent to. An empty list allows every secure origin. Clones share their lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedOrigins {
    named: Arc<[Origin]>,
    plain_http: Arc<[Origin]>,
}

impl AllowedOrigins {
    /// `plain_http`: the origins whose `http` is allowed, if they are named or no origin is.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn new(named: &[Origin], plain_http: &[Origin]) -> Self {
        Self {
            named: named.into(),
            plain_http: plain_http.into(),
        }
    }

    pub(crate) fn allow(&mut self, origin: Origin) {
        push(&mut self.named, origin);
    }

    /// Allows plain `http` for an origin that is safe for a reason this crate cannot see, such as a mesh that adds TLS.
    pub(crate) fn danger_allow_http(&mut self, origin: Origin) {
        push(&mut self.plain_http, origin.clone());
        push(&mut self.named, origin);
    }

    /// Every origin in the list must be secure, or allowed with `danger_allow_http`.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for origin in &*self.named {
            if !origin.is_secure() && !self.plain_http.contains(origin) {
                return Err(ConfigError::new(
                    "origin",
                    format!("{origin} must be https or loopback (see `danger_allow_http`)"),
                )
                .with_kind(ConfigErrorKind::Insecure));
            }
        }
        Ok(())
    }

    /// Whether a request of this URI may have the token. An inner service that puts the URI together from its parts
    /// must come to the same host: see [`has_path_of_its_own`].
    #[inline]
    pub(crate) fn permits(&self, uri: &Uri) -> Result<(), ForeignOrigin> {
        if !has_path_of_its_own(uri) {
            return Err(ForeignOrigin::of_unfit(uri));
        }
        let surely = match &self.named[..] {
            [] => is_surely_secure(uri),
            named => named.iter().any(|origin| origin.is_spelled_by(uri)),
        };
        if surely {
            return Ok(());
        }
        self.permits_target(Target::of(uri))
    }

    /// The same for a URL, which is what `reqwest` connects to. A URL always has a path.
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn permits_url(&self, url: &reqwest::Url) -> Result<(), ForeignOrigin> {
        self.permits_target(Target::of_url(url))
    }

    pub(crate) fn permits_target(
        &self,
        target: Result<Target<'_>, &'static str>,
    ) -> Result<(), ForeignOrigin> {
        let target = target.map_err(ForeignOrigin::Rule)?;
        let is = |origin: &Origin| target.is(&origin.target());
        let allowed = match &self.named[..] {
            [] => target.is_secure() || self.plain_http.iter().any(is),
            named => named.iter().any(is),
        };
        match (allowed, &self.named[..]) {
            (true, _) => Ok(()),
            (false, []) => Err(ForeignOrigin::Insecure(target.into())),
            (false, _) => Err(ForeignOrigin::NotListed(target.into())),
        }
    }
}

fn push(list: &mut Arc<[Origin]>, origin: Origin) {
    *list = list.iter().cloned().chain([origin]).collect();
}

/// Why a request's URI may not have the token.
#[derive(Debug)]
pub(crate) enum ForeignOrigin {
    Rule(&'static str),
    Insecure(Origin),
    NotListed(Origin),
}

impl ForeignOrigin {
    /// Reports first that a URI is no address: the missing path follows from that.
    #[cold]
    fn of_unfit(uri: &Uri) -> Self {
        let rule = Target::of(uri).err();
        Self::Rule(rule.unwrap_or("the URI's path does not begin with `/`"))
    }
}

impl fmt::Display for ForeignOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => f.write_str(rule),
            Self::Insecure(origin) => write!(f, "{origin} is neither https nor loopback"),
            Self::NotListed(origin) => write!(
                f,
                "{origin} is not among the source's origins; add it with `origin(…)` if the token is meant for it"
            ),
        }
    }
}
