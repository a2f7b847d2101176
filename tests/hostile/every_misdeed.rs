//! Whatever it is, it ends in time, as an error that names it, and leaves nothing behind.

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use crate::{
    client::{CLIENTS, Client, LONG, SHORT, chain, failure, recovers},
    misdeeds::{Misdeed, every_misdeed},
    peer::Peer,
    script::good,
};

async fn is_survived(client: Client, misdeed: Misdeed) {
    let case = format!("{client:?}, {}", misdeed.name);
    let bound = if misdeed.kind == "timeout" {
        SHORT
    } else {
        LONG
    };
    let peer = Peer::playing(misdeed.script).await;
    let source = client.source(format!("http://{}", peer.address), bound);

    let error = failure(&source, bound, &case).await;
    let words = chain(&error);
    assert_eq!(error.kind().as_str(), misdeed.kind, "{case}: {words}");
    assert_eq!(error.class(), Some(misdeed.class), "{case}: {words}");
    assert!(words.contains(misdeed.says), "{case}: {words}");
    assert!(
        !format!("{words} {error:?}").contains("c4n4ry"),
        "{case}: {words}"
    );
    let hangs_up = timeout(LONG, peer.abandoned()).await;
    assert!(hangs_up.is_ok(), "{case}: a connection is still open");

    peer.plays(good("mended"));
    recovers(&source, "mended", &case).await;
}

#[tokio::test]
async fn every_misdeed_is_survived() {
    let started = Instant::now();
    for client in CLIENTS {
        join_all(
            every_misdeed()
                .into_iter()
                .map(|it| is_survived(client, it)),
        )
        .await;
    }
    let names: Vec<_> = every_misdeed().iter().map(|misdeed| misdeed.name).collect();
    println!(
        "hostile: {} misdeeds by {} clients in {:?}: {}",
        names.len(),
        CLIENTS.len(),
        started.elapsed(),
        names.join(", ")
    );
}
