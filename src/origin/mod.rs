//! Where a token may be sent: exact scheme, host and port.

mod allowed;
mod target;

use std::{fmt, str::FromStr};

use http::{
    Uri,
    uri::{self, InvalidUri},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use self::target::Scheme;
pub(crate) use self::{
    allowed::AllowedOrigins,
    target::{Target, has_path_of_its_own, is_path_alone},
};
use crate::{error::ConfigError, text::url_without_secrets};

/// A scheme, a host and a port, such as `https://api.anbima.com.br`.
///
/// The host is compared without regard to case. A missing port is the scheme's default port. A trailing dot makes
/// another host. Only `http` and `https` are allowed.
///
/// # Examples
///
/// ```
/// use tower_oauth::Origin;
///
/// let origin: Origin = "HTTPS://API.example:443".parse()?;
/// assert_eq!(origin.to_string(), "https://api.example");
/// assert_eq!(Origin::try_from("https://api.example/")?, origin);
/// assert!("https://user@api.example".parse::<Origin>().is_err());
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    /// Host and port in lower case, without the scheme's default port.
    authority: Box<str>,
    host_length: usize,
    port: u16,
}

impl Origin {
    /// Returns the origin of an absolute URI. Its path and query do not matter.
    ///
    /// # Errors
    ///
    /// Fails if the URI is relative, is neither `http` nor `https`, holds user information, or writes its host in a way
    /// that URL parsers read differently, such as `127.1`.
    pub fn of(uri: &Uri) -> Result<Self, ConfigError> {
        let reject = |rule| ConfigError::new("origin", rule);
        if uri.scheme().is_none() {
            return Err(reject(
                "must begin with its scheme, such as https://api.example",
            ));
        }
        let target = Target::of(uri).map_err(reject)?;
        if target.host.contains('*') {
            return Err(reject("names one host each: a `*` stands for nothing"));
        }
        Ok(Self::from(target))
    }

    fn host(&self) -> &str {
        &self.authority[..self.host_length]
    }

    /// Whether a URI writes this origin in its usual form. One comparison of text saves most requests the parsing.
    /// `false` means that the URI must be parsed.
    #[inline]
    fn is_spelled_by(&self, uri: &Uri) -> bool {
        let scheme = match self.scheme {
            Scheme::Http => uri::Scheme::HTTP,
            Scheme::Https => uri::Scheme::HTTPS,
        };
        uri.authority()
            .is_some_and(|it| it.as_str() == &*self.authority)
            && uri.scheme() == Some(&scheme)
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target {
            scheme: self.scheme,
            host: self.host(),
            port: self.port,
        }
    }

    /// Whether a secret may be sent there: `https`, or this machine.
    pub fn is_secure(&self) -> bool {
        self.target().is_secure()
    }

    /// Whether it is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        self.target().is_loopback()
    }
}

impl From<Target<'_>> for Origin {
    fn from(target: Target<'_>) -> Self {
        let mut authority = target.host.to_ascii_lowercase();
        if target.port != target.scheme.default_port() {
            authority.push_str(&format!(":{}", target.port));
        }
        Self {
            scheme: target.scheme,
            authority: authority.into(),
            host_length: target.host.len(),
            port: target.port,
        }
    }
}

impl FromStr for Origin {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let given = |error: ConfigError| error.given(&url_without_secrets(text));
        let uri: Uri = text.parse().map_err(|error: InvalidUri| {
            let rule = "must be a URI such as https://api.example";
            given(ConfigError::new("origin", rule)).because(error)
        })?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            let rule = "must hold no path and no query: an origin is scheme, host and port";
            return Err(given(ConfigError::new("origin", rule)));
        }
        Self::of(&uri).map_err(given)
    }
}

impl TryFrom<&str> for Origin {
    type Error = ConfigError;

    fn try_from(text: &str) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_surely_secure_is_permitted_by_the_whole_check_too() {
        let any = AllowedOrigins::default();
        for (uri, surely) in [
            ("https://api.example/cob?x=1", true),
            ("https://a-1.b2.example", true),
            ("https://0x7f.example/", true),
            ("https://localhost/", true),
            ("http://api.example/", false),
            ("https://API.example/", false),
            ("https://api.example:8443/", false),
            ("https://api.example:99999/", false),
            ("https://user@api.example/", false),
            ("https://127.1/", false),
            ("https://2130706433/", false),
            ("https://0x7f000001/", false),
            ("https://127.0.0.0x1/", false),
            ("https://127.0.0.1./", false),
            ("https://[::1]/", false),
            ("/cob", false),
        ] {
            let parsed = uri.parse().unwrap();
            assert_eq!(target::is_surely_secure(&parsed), surely, "{uri}");
            assert!(!surely || any.permits_target(Target::of(&parsed)).is_ok());
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        for text in [
            "https://a.example/path",
            "https://a.example?x",
            "",
            "https://*.example",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
        let error = "a.example".parse::<Origin>().unwrap_err();
        assert!(error.rule().starts_with("must begin with its scheme"));
    }
}
