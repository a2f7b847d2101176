//! Far more than anybody asked for: the reading stops early, and memory stays bounded.

use std::fs;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::{
    client::{CLIENTS, Client, LONG, chain, failure, recovers},
    peer::Peer,
    script::{
        Script,
        Step::{Flood, Hear, Say},
        good,
    },
};

/// What each peer has to give.
const OFFERED: usize = 100 << 20;

/// The most that the sockets between them hold: more than that is not read.
const TAKEN: u64 = 16 << 20;

/// How much the process may grow, all floods running at once.
const GROWTH: u64 = 64 << 20;

/// A head, a flood after it, and what is said of it.
struct Torrent {
    name: &'static str,
    script: Script,
    says: &'static str,
}

fn torrents() -> Vec<Torrent> {
    let torrent = |name, head: &str, text, says| Torrent {
        name,
        script: vec![Hear, Say(head.into()), Flood(text, OFFERED)],
        says,
    };
    let (long, no_http) = ("the answer is longer than 64 KiB", "the answer is not HTTP");
    let announced =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {OFFERED}\r\n\r\n{{\"access_token\":\"");
    let zipped = announced.replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let rejected = "HTTP/1.1 500 Oh\r\n\r\n";
    vec![
        torrent("a body of its length", &announced, "x", long),
        torrent(
            "a body of no length",
            "HTTP/1.1 200 OK\r\n\r\n\"",
            "x",
            long,
        ),
        torrent("chunks of a byte", chunked, "1\r\nx\r\n", long),
        torrent("a compressed body", &zipped, "\0", "compressed"),
        torrent("a failure's body", rejected, "<html>", "out of order"),
        torrent("headers", "HTTP/1.1 200 OK\r\n", "x: y\r\n", no_http),
        torrent("one header", "HTTP/1.1 200 OK\r\nx: ", "y", no_http),
        torrent("a status line", "HTTP/1.1 200 ", "O", no_http),
        torrent("a chunk's extension", &format!("{chunked}1;"), "x", "broke"),
        torrent("trailers", &format!("{chunked}0\r\n"), "x: y\r\n", "broke"),
    ]
}

async fn is_stemmed(client: Client, torrent: Torrent) -> u64 {
    let case = format!("{client:?}, {}", torrent.name);
    let peer = Peer::playing(torrent.script).await;
    let source = client.source(format!("http://{}", peer.address), LONG);
    let error = failure(&source, LONG, &case).await;
    let words = chain(&error);
    assert!(words.contains(torrent.says), "{case}: {words}");
    let hangs_up = timeout(LONG, peer.abandoned()).await;
    assert!(hangs_up.is_ok(), "{case}: a connection is still open");
    let taken = peer.written();
    assert!(taken < TAKEN, "{case}: {taken} bytes were taken");

    peer.plays(good("recovered"));
    recovers(&source, "recovered", &case).await;
    taken
}

/// The most memory that the process has ever had, in bytes; 0 if the system does not report it.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.map_or(0, |kib| kib.trim().parse::<u64>().unwrap() << 10)
}

#[tokio::test]
async fn floods_are_stemmed_in_bounded_memory() {
    let floods = CLIENTS
        .into_iter()
        .flat_map(|client| torrents().into_iter().map(move |it| (client, it)));
    let before = peak_memory();
    let taken = join_all(floods.map(|(client, torrent)| is_stemmed(client, torrent))).await;
    let growth = peak_memory() - before;
    println!(
        "hostile: {} floods of {} MiB each: {} KiB taken, {} KiB more memory at the peak",
        taken.len(),
        OFFERED >> 20,
        taken.iter().sum::<u64>() >> 10,
        growth >> 10,
    );
    assert!(growth < GROWTH, "memory grew by {growth} bytes");
}
