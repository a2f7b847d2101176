//! Where a request goes, read from the value that the client connects with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{
    Uri,
    uri::{self, Authority},
};

/// The parts of an address that decide where a request goes, borrowed: the hit path compares them without allocating.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(super) scheme: Scheme,
    pub(super) host: &'a str,
    pub(super) port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(scheme: &str) -> Result<Self, &'static str> {
        if scheme.eq_ignore_ascii_case("https") {
            Ok(Self::Https)
        } else if scheme.eq_ignore_ascii_case("http") {
            Ok(Self::Http)
        } else {
            Err("the scheme is neither http nor https")
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(super) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

const USER_INFORMATION: &str = "the URI holds user information (`…@`)";

impl<'a> Target<'a> {
    /// # Errors
    ///
    /// Returns the rule that the URI breaks. A URI that two parsers may read differently has no target.
    pub(crate) fn of(uri: &'a Uri) -> Result<Self, &'static str> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("the request's URI is relative; say `relative_to(origin)` on the layer");
        };
        let scheme = Scheme::parse(scheme)?;
        let port = checked_port(authority)?;
        let host = authority.host();
        check_host(host)?;
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or(scheme.default_port()),
        })
    }

    /// The same for the URL that `reqwest` connects to.
    #[cfg(feature = "reqwest")]
    pub(crate) fn of_url(url: &'a reqwest::Url) -> Result<Self, &'static str> {
        let scheme = Scheme::parse(url.scheme())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(USER_INFORMATION);
        }
        Ok(Self {
            scheme,
            host: url.host_str().ok_or("the URL has no host")?,
            port: url.port().unwrap_or(scheme.default_port()),
        })
    }

    pub(crate) fn is(&self, other: &Target<'_>) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && is_same_host(self.host, other.host)
    }

    pub(super) fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https || self.is_loopback()
    }

    /// Loopback is exactly `localhost`, 127.0.0.0/8 and `[::1]`. No name is resolved.
    pub(super) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || address(self.host).is_some_and(|it| it.is_loopback())
    }

    /// Whether any spelling of this host may lead to this machine. Wider than [`is_loopback`](Self::is_loopback), which
    /// permits a token: this one keeps a proxy out.
    #[cfg(feature = "reqwest")]
    pub(crate) fn may_be_this_machine(&self) -> bool {
        let host = self.host.strip_suffix('.').unwrap_or(self.host);
        let top_level = host.rsplit('.').next().unwrap_or(host);
        let is_local = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
        top_level.eq_ignore_ascii_case("localhost")
            || address(host).is_some_and(|it| is_local(it) || is_local(embedded_v4(it)))
    }
}

/// Whether an inner service can only append this URI's path to an origin: `@evil.example/`, `.evil.example/` and `*`
/// would extend the host.
#[inline]
pub(crate) fn has_path_of_its_own(uri: &Uri) -> bool {
    uri.path_and_query()
        .is_some_and(|path| path.as_str().as_bytes().first() == Some(&b'/'))
}

/// Whether a URI is `https` to a host that is surely a name. It looks at each byte once, and saves most requests the
/// parsing. `false` means that the URI must be parsed.
#[inline]
pub(super) fn is_surely_secure(uri: &Uri) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let is_name = |authority: &[u8]| {
        let last_dot = authority.iter().rposition(|byte| *byte == b'.');
        // A last label that begins with a letter is not a number.
        let last_label = last_dot.map_or(0, |dot| dot + 1);
        authority
            .get(last_label)
            .is_some_and(u8::is_ascii_lowercase)
            && authority.iter().all(is_plain)
    };
    let is_https = uri.scheme() == Some(&uri::Scheme::HTTPS);
    is_https
        && uri
            .authority()
            .is_some_and(|it| is_name(it.as_str().as_bytes()))
}

/// Whether a URI without scheme and authority keeps the host when it is joined to an origin. A path that begins with
/// two slashes or backslashes names another host.
pub(crate) fn is_path_alone(uri: &Uri) -> bool {
    let second = uri.path().as_bytes().get(1);
    has_path_of_its_own(uri) && !matches!(second, Some(b'/' | b'\\'))
}

/// The port as written. It rejects anything else in the authority, such as user information.
fn checked_port(authority: &Authority) -> Result<Option<u16>, &'static str> {
    if authority.as_str().contains('@') {
        return Err(USER_INFORMATION);
    }
    if !authority.as_str().is_ascii() || authority.host().is_empty() {
        return Err("the URI's host is empty or not ASCII");
    }
    // Not `Authority::port`: it reads an invalid port (`:99999`) as a missing one.
    let rest = &authority.as_str()[authority.host().len()..];
    if rest.is_empty() {
        return Ok(None);
    }
    // Digits alone: the standard library takes a plus sign before them, and a URL parser does not.
    let digits = rest.strip_prefix(':').filter(|it| !it.starts_with('+'));
    match digits.map(str::parse) {
        Some(Ok(port @ 1..)) => Ok(Some(port)),
        _ => Err("the URI's port is not a number from 1 to 65535"),
    }
}

/// A URL parser and a resolver read `127.1`, `2130706433` and `0x7f.1` as 127.0.0.1; a comparison of text does not.
fn check_host(host: &str) -> Result<(), &'static str> {
    let is_address = address(host).is_some();
    if host.starts_with('[') && !is_address {
        return Err("the URI's host in brackets is not an IPv6 address");
    }
    if ends_in_a_number(host) && !is_address {
        return Err(
            "the URI's host ends in a number and is not an IPv4 address of four decimal numbers",
        );
    }
    Ok(())
}

/// By the URL standard, such a host is an IPv4 address or invalid.
fn ends_in_a_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|it| it.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|it| it.is_ascii_digit()),
    }
}

/// One IPv6 address has many spellings, and a URL parser changes them.
fn is_same_host(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (one.starts_with('[') && address(one).is_some_and(|it| address(other) == Some(it)))
}

fn address(host: &str) -> Option<IpAddr> {
    let in_brackets = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match in_brackets {
        Some(text) => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// A client that connects to `::ffff:127.0.0.1` reaches 127.0.0.1.
#[cfg(feature = "reqwest")]
fn embedded_v4(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}
