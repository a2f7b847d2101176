//! Where a token may be sent: scheme, host and port, and nothing looser.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use http::{
    Uri,
    uri::{self, Authority, InvalidUri},
};
use serde::{Deserialize, Serialize};

use crate::{error::ConfigError, text::url_without_secrets};

/// A scheme, a host and a port, such as `https://api.anbima.com.br`.
///
/// The host is compared without regard to case, a missing port is the scheme's own, and a trailing dot makes another
/// host. Only `http` and `https` are known.
///
/// # Examples
///
/// ```
/// use tower_oauth::Origin;
///
/// let origin: Origin = "HTTPS://API.example:443".parse()?;
/// assert_eq!(origin.to_string(), "https://api.example");
/// assert!("https://user@api.example".parse::<Origin>().is_err());
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    scheme: Scheme,
    /// Host and port as they are usually written: in lower case, without a port that is the scheme's own.
    authority: Box<str>,
    host_length: usize,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(scheme: &str) -> Option<Self> {
        if scheme.eq_ignore_ascii_case("https") {
            Some(Self::Https)
        } else if scheme.eq_ignore_ascii_case("http") {
            Some(Self::Http)
        } else {
            None
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The parts of a URI that make its origin, borrowed: the hit path compares them without allocating.
struct Parts<'a> {
    scheme: Scheme,
    host: &'a str,
    port: u16,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a Uri) -> Result<Self, &'static str> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("the request's URI is relative; say `relative_to(origin)` on the layer");
        };
        let scheme = Scheme::parse(scheme).ok_or("the scheme is neither http nor https")?;
        let port = match checked_port(authority)? {
            Some(port) => port,
            None => scheme.default_port(),
        };
        Ok(Self {
            scheme,
            host: authority.host(),
            port,
        })
    }

    fn is(&self, origin: &Origin) -> bool {
        self.scheme == origin.scheme
            && self.port == origin.port
            && self.host.eq_ignore_ascii_case(origin.host())
    }

    fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https || is_loopback(self.host)
    }
}

/// The port as written; what else an authority may hold, and a token must not follow, is refused.
fn checked_port(authority: &Authority) -> Result<Option<u16>, &'static str> {
    if authority.as_str().contains('@') {
        return Err("the URI holds user information (`…@`)");
    }
    if !authority.as_str().is_ascii() || authority.host().is_empty() {
        return Err("the URI's host is empty or not ASCII");
    }
    // Not `Authority::port`: it takes a port that is none (`:99999`) for a missing one.
    let rest = &authority.as_str()[authority.host().len()..];
    if rest.is_empty() {
        return Ok(None);
    }
    match rest.strip_prefix(':').map(str::parse) {
        Some(Ok(port @ 1..)) => Ok(Some(port)),
        _ => Err("the URI's port is not a number from 1 to 65535"),
    }
}

/// Loopback is exactly `localhost`, 127.0.0.0/8 and `[::1]`; no name is resolved.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

impl Origin {
    /// The origin of an absolute URI; its path and query do not matter.
    ///
    /// # Errors
    ///
    /// When the URI is relative, is neither `http` nor `https`, or holds user information.
    pub fn of(uri: &Uri) -> Result<Self, ConfigError> {
        let refuse = |rule| ConfigError::new("origin", rule);
        if uri.scheme().is_none() {
            return Err(refuse(
                "must begin with its scheme, such as https://api.example",
            ));
        }
        let parts = Parts::of(uri).map_err(refuse)?;
        if parts.host.contains('*') {
            return Err(refuse("names one host each: a `*` stands for nothing"));
        }
        let mut authority = parts.host.to_ascii_lowercase();
        if parts.port != parts.scheme.default_port() {
            authority.push_str(&format!(":{}", parts.port));
        }
        Ok(Self {
            scheme: parts.scheme,
            authority: authority.into(),
            host_length: parts.host.len(),
            port: parts.port,
        })
    }

    fn host(&self) -> &str {
        &self.authority[..self.host_length]
    }

    /// Whether a URI spells this origin as it is usually written: one comparison of text, which spares the common
    /// request the parsing. `false` says nothing.
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

    /// Whether a secret may travel there: `https`, or this very machine.
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https || self.is_loopback()
    }

    /// Whether it is this very machine: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }
}

#[cfg(feature = "reqwest-middleware")]
impl Origin {
    /// The same for the text of an absolute URL with a path, which the `url` crate has put into the usual spelling.
    fn begins(&self, url: &str) -> bool {
        url.strip_prefix(self.scheme.as_str())
            .and_then(|rest| rest.strip_prefix("://"))
            .and_then(|rest| rest.strip_prefix(&*self.authority))
            .is_some_and(|path| path.starts_with('/'))
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

impl TryFrom<String> for Origin {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}

/// The origins a token may be sent to. With none named: anything secure.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedOrigins {
    named: Vec<Origin>,
    plain_http: Vec<Origin>,
}

impl AllowedOrigins {
    pub(crate) fn allow(&mut self, origin: Origin) {
        self.named.push(origin);
    }

    /// Names an origin whose `http` is safe for reasons this crate cannot see: a mesh that adds TLS, say.
    pub(crate) fn danger_allow_http(&mut self, origin: Origin) {
        self.plain_http.push(origin.clone());
        self.named.push(origin);
    }

    /// Lets an origin's `http` pass where it is named, or where none is.
    pub(crate) fn permit_http(&mut self, origin: Origin) {
        self.plain_http.push(origin);
    }

    /// Every named origin must be secure, or have been let in by name.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for origin in &self.named {
            if !origin.is_secure() && !self.plain_http.contains(origin) {
                return Err(ConfigError::new(
                    "origin",
                    format!("{origin} must be https or loopback (see `danger_allow_http`)"),
                ));
            }
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn permits(&self, uri: &Uri) -> Result<(), ForeignOrigin> {
        if self.named.iter().any(|origin| origin.is_spelled_by(uri)) {
            return Ok(());
        }
        self.permits_parsed(uri)
    }

    /// Whether a URL surely is of a named origin; `false` says nothing.
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn surely_permits(&self, url: &str) -> bool {
        self.named.iter().any(|origin| origin.begins(url))
    }

    fn permits_parsed(&self, uri: &Uri) -> Result<(), ForeignOrigin> {
        let parts = Parts::of(uri).map_err(ForeignOrigin::Rule)?;
        let allowed = match &self.named[..] {
            [] => parts.is_secure() || self.plain_http.iter().any(|origin| parts.is(origin)),
            named => named.iter().any(|origin| parts.is(origin)),
        };
        if allowed {
            return Ok(());
        }
        Err(match Origin::of(uri) {
            Ok(origin) if self.named.is_empty() => ForeignOrigin::Insecure(origin),
            Ok(origin) => ForeignOrigin::NotListed(origin),
            Err(_) => ForeignOrigin::Rule("the URI has no origin"),
        })
    }
}

/// Why a request's URI may not have the token.
#[derive(Debug)]
pub(crate) enum ForeignOrigin {
    Rule(&'static str),
    Insecure(Origin),
    NotListed(Origin),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &[&str]) -> AllowedOrigins {
        let mut allowed = AllowedOrigins::default();
        for origin in origins {
            allowed.allow(origin.parse().unwrap());
        }
        allowed
    }

    fn permits(allowed: &AllowedOrigins, uri: &str) -> bool {
        allowed.permits(&uri.parse().unwrap()).is_ok()
    }

    #[test]
    fn without_a_list_https_and_loopback_only() {
        let any = allowed(&[]);
        for uri in [
            "https://api.example/x",
            "http://localhost:1/",
            "http://LOCALHOST/",
            "http://127.9.9.9/",
            "http://[::1]:80/",
        ] {
            assert!(permits(&any, uri), "{uri}");
        }
        for uri in [
            "http://api.example/",
            "http://localhost.example/",
            "http://localhost./",
            "http://127.0.0.1.example/",
            "http://128.0.0.1/",
            "http://[::2]/",
            "/relative",
            "ftp://localhost/",
        ] {
            assert!(!permits(&any, uri), "{uri}");
        }
    }

    #[test]
    fn a_listed_origin_is_scheme_host_and_port() {
        let listed = allowed(&["https://api.example"]);
        for uri in [
            "https://api.example/cob",
            "https://API.EXAMPLE:443/cob?x=1",
            "HTTPS://api.example",
        ] {
            assert!(permits(&listed, uri), "{uri}");
        }
        for uri in [
            "http://api.example/",
            "https://api.example:8443/",
            "https://api.example.evil/",
            "https://api.example./",
            "https://user@api.example/",
            "https://api.example@evil.example/",
            "https://api.example:pw@evil.example/",
            "https://localhost/",
        ] {
            assert!(!permits(&listed, uri), "{uri}");
        }
    }

    #[test]
    fn ipv6_is_compared_with_its_brackets() {
        let listed = allowed(&["https://[2001:db8::1]:8443"]);
        assert!(permits(&listed, "https://[2001:DB8::1]:8443/"));
        assert!(!permits(&listed, "https://[2001:db8::1]x:8443/"));
        assert!(!permits(&allowed(&[]), "http://[::1]x.evil/"));
        assert!(!permits(&listed, "https://[2001:db8::1]/"));
    }

    #[test]
    fn plain_http_is_refused_unless_let_in_by_name() {
        assert!(allowed(&["http://mesh.internal"]).check().is_err());
        let mut mesh = AllowedOrigins::default();
        mesh.danger_allow_http("http://mesh.internal".parse().unwrap());
        assert!(mesh.check().is_ok());
        assert!(permits(&mesh, "http://mesh.internal/x"));
    }

    #[cfg(feature = "reqwest-middleware")]
    #[test]
    fn a_url_that_surely_is_of_an_origin_is_permitted_by_the_whole_check_too() {
        let listed = allowed(&["https://api.example", "http://[::1]:8080"]);
        for (url, surely) in [
            ("https://api.example/cob?x=1", true),
            ("http://[::1]:8080/", true),
            ("https://api.example:443/", false),
            ("https://api.example", false),
            ("https://api.example.evil/", false),
            ("https://api.example@evil.example/", false),
            ("https://api.example:1/", false),
            ("https://user@api.example/", false),
            ("http://api.example/", false),
            ("http://[::1]:80801/", false),
            ("http://[::1]/", false),
        ] {
            assert_eq!(listed.surely_permits(url), surely, "{url}");
            assert!(!surely || permits(&listed, url), "{url}");
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
