//! Whatever it is, it ends in time, as an error that names it, and leaves nothing behind.

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use crate::{
    client::{CLIENTS, Client, LONG, SHORT, chain, failure, recovers},
    faults::{Fault, all_faults},
    peer::Peer,
    script::good,
};

async fn is_survived(client: Client, fault: Fault) {
    let case = format!("{client:?}, {}", fault.name);
    let bound = if fault.kind == "timeout" { SHORT } else { LONG };
    let peer = Peer::playing(fault.script).await;
    let source = client.source(format!("http://{}", peer.address), bound);

    let error = failure(&source, bound, &case).await;
    let words = chain(&error);
    assert_eq!(error.kind().as_str(), fault.kind, "{case}: {words}");
    assert_eq!(error.class(), Some(fault.class), "{case}: {words}");
    assert!(words.contains(fault.says), "{case}: {words}");
    assert!(
        !format!("{words} {error:?}").contains("c4n4ry"),
        "{case}: {words}"
    );
    let hangs_up = timeout(LONG, peer.abandoned()).await;
    assert!(hangs_up.is_ok(), "{case}: a connection is still open");

    peer.plays(good("recovered"));
    recovers(&source, "recovered", &case).await;
}

#[tokio::test]
async fn every_fault_is_survived() {
    let started = Instant::now();
    for client in CLIENTS {
        join_all(all_faults().into_iter().map(|it| is_survived(client, it))).await;
    }
    let names: Vec<_> = all_faults().iter().map(|fault| fault.name).collect();
    println!(
        "hostile: {} faults by {} clients in {:?}: {}",
        names.len(),
        CLIENTS.len(),
        started.elapsed(),
        names.join(", ")
    );
}
