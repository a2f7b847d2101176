//! What a request with a fresh token costs, in this crate and in others.
//!
//! ```sh
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! ```
//!
//! Each peer is measured over its own kind of client stack, whose innermost part answers at once, and the cost of that
//! stack alone is taken off. The unit is the floor: what tower-http's `SetRequestHeaderLayer` with a refcounted value
//! costs, its own stack taken off, in the same round.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock itself"
)]

mod in_azure;
mod in_huskarl;
mod in_reqwest;
mod in_reqwest_012;
mod in_tower;
mod measure;
#[path = "../../cases/threads.rs"]
mod threads;
mod token;

use measure::{Case, rounds};
use threads::median;

/// A client stack without a token, and what puts one on its requests.
struct Stack {
    base: Case,
    peers: Vec<Peer>,
}

struct Peer {
    name: &'static str,
    /// Its package, in which the lock file has the version.
    package: &'static str,
    case: Case,
}

fn main() {
    // The first peer of the first stack is the floor.
    let stacks = [
        in_tower::stack(),
        in_tower::gears(),
        in_huskarl::stack(),
        in_reqwest::stack(),
        in_reqwest_012::stack(),
        in_azure::stack(),
    ];
    stacks.iter().for_each(Stack::check);
    let columns = [1, 2].map(|threads| column(&stacks, threads));
    println!(
        "\n{:<44} {:>8} {:>9} {:>9} {:>11}",
        "", "version", "1 thread", "2 threads", "allocations"
    );
    let peers = stacks
        .iter()
        .flat_map(|stack| stack.peers.iter().map(move |peer| (stack, peer)));
    for (number, (stack, peer)) in peers.enumerate() {
        let [one, two] = columns.each_ref().map(|column| column[number]);
        let allocations = peer.case.allocations() - stack.base.allocations();
        println!(
            "{:<44} {:>8} {one:>9.2} {two:>9.2} {allocations:>11}",
            peer.name,
            version(peer.package)
        );
    }
}

/// For each peer its cost, in floors: the median over the rounds.
fn column(stacks: &[Stack], threads: usize) -> Vec<f64> {
    let cases: Vec<&Case> = stacks.iter().flat_map(Stack::cases).collect();
    let times = rounds(&cases, threads);
    let mut rest = times.as_slice();
    let mut nets: Vec<Vec<f64>> = Vec::new();
    for stack in stacks {
        let (base, others) = rest.split_first().expect("a base");
        let (peers, others) = others.split_at(stack.peers.len());
        nets.extend(peers.iter().map(|peer| net(peer, base)));
        rest = others;
    }
    let floor = &nets[0];
    println!(
        "floor, {threads} at once: {:.0} ns",
        median(floor.iter().copied())
    );
    let ratios = |net: &Vec<f64>| median(net.iter().zip(floor).map(|(net, floor)| net / floor));
    nets.iter().map(ratios).collect()
}

fn net(peer: &[f64], base: &[f64]) -> Vec<f64> {
    peer.iter()
        .zip(base)
        .map(|(peer, base)| peer - base)
        .collect()
}

impl Stack {
    /// A peer that sends no token would win.
    fn check(&self) {
        assert_eq!(token::sent_by(&self.base), 0);
        for peer in &self.peers {
            let expected = "Bearer ".len() + token::TOKEN.len();
            assert_eq!(token::sent_by(&peer.case), expected, "{}", peer.name);
        }
    }

    /// The base first.
    fn cases(&self) -> impl Iterator<Item = &Case> {
        std::iter::once(&self.base).chain(self.peers.iter().map(|peer| &peer.case))
    }
}

/// Of two versions the lock file has the newer one last, which is the one measured.
fn version(package: &str) -> &'static str {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let after = include_str!("../Cargo.lock").rsplit_once(&entry);
    after
        .and_then(|(_, after)| after.split('"').next())
        .unwrap_or("")
}
