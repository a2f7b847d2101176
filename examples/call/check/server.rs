//! Where a server is.

use std::env;

use http::Uri;
use tower_oauth::{BoxError, Origin};

use crate::{api::origin, args::ClientKind};

#[derive(PartialEq, Eq)]
pub(super) struct Server {
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_secure: bool,
    pub(super) origin: Origin,
}

impl Server {
    pub(super) fn of(uri: &Uri) -> Result<Self, BoxError> {
        let origin = origin(uri)?;
        let is_secure = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            is_secure,
            origin,
        })
    }

    /// Host and port, as a request names them.
    pub(super) fn authority(&self) -> String {
        let origin = self.origin.to_string();
        let (_, authority) = origin.split_once("://").unwrap_or_default();
        authority.to_owned()
    }

    /// The variable that names the proxy in between. hyper's client uses none, and nobody does for this machine.
    pub(super) fn proxy(&self, client: ClientKind) -> Option<&'static str> {
        match client {
            ClientKind::Reqwest if !self.origin.is_loopback() => self.proxy_variable(),
            _ => None,
        }
    }

    pub(super) fn proxy_variable(&self) -> Option<&'static str> {
        let names = match self.is_secure {
            true => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
            false => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
        };
        let is_set = |name: &&str| env::var_os(name).is_some_and(|it| !it.is_empty());
        names.into_iter().find(|name| is_set(name))
    }
}
