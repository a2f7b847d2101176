//! The connection, to the first address that takes it.

use std::{net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use super::{
    name::by_proxy,
    server::Server,
    step::{Finding, Target},
};
use crate::advice::Advice;

/// One address that is silent must not take the time of the others.
const EACH: Duration = Duration::from_secs(3);

pub(super) async fn open(
    addresses: Vec<SocketAddr>,
    server: &Server,
    advice: &Advice<'_>,
    target: Target,
) -> (Finding, Option<TcpStream>) {
    let mut failures = Vec::new();
    for address in addresses {
        let failure = match timeout(EACH, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return (connected(address, &failures), Some(stream)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {EACH:?}"),
        };
        failures.push(format!("{address}: {failure}"));
    }
    let remedy = format!(
        "No server listens there, or a firewall blocks it. {}{}",
        advice.address(target == Target::Api),
        by_proxy(server)
    );
    (Finding::failed(failures.join("; "), remedy), None)
}

fn connected(address: SocketAddr, failures: &[String]) -> Finding {
    let others = match failures {
        [] => String::new(),
        failures => format!("; but {}", failures.join("; ")),
    };
    let detail = format!("{address} accepted the connection{others}");
    Finding::ok(detail).fact("address", address.to_string())
}
