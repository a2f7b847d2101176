//! The server's name: which addresses it has.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use tokio::net::lookup_host;

use super::{
    server::Server,
    step::{Finding, Target},
};
use crate::advice::Advice;

pub(super) async fn find(
    server: &Server,
    advice: &Advice<'_>,
    target: Target,
) -> (Finding, Option<Vec<SocketAddr>>) {
    let host = &*server.host;
    let found: Vec<_> = match lookup_host((host, server.port)).await {
        Ok(found) => found.collect(),
        Err(error) => {
            let detail = format!("{host} has no address: {error}");
            let remedy = format!(
                "{}{}",
                advice.address(target == Target::Api),
                by_proxy(server)
            );
            return (Finding::failed(detail, remedy).fact("host", host), None);
        }
    };
    (described(host, &found), Some(found))
}

fn described(host: &str, found: &[SocketAddr]) -> Finding {
    let mut addresses: Vec<_> = found.iter().map(|it| it.ip().to_string()).collect();
    addresses.dedup();
    let detail = match host.parse::<IpAddr>() {
        Ok(_) => format!("{host} is an address"),
        Err(_) => format!("{host} has {}", addresses.join(", ")),
    };
    let addresses: Vec<_> = addresses.into_iter().map(Value::from).collect();
    Finding::ok(detail)
        .fact("host", host)
        .fact("addresses", addresses)
}

/// This client goes directly, where others may not.
pub(super) fn by_proxy(server: &Server) -> String {
    let variable = server.proxy_variable();
    let variable = variable.filter(|_| !server.origin.is_loopback());
    variable.map_or_else(String::new, |variable| {
        format!(" With --client reqwest, the proxy of {variable} is used.")
    })
}
