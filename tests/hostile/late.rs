//! An answer that comes after its request has ended.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    client::{CLIENTS, SHORT, failure, recovers},
    peer::Peer,
    script::{
        Step::{Hear, Say, Wait},
        answer, good, token_json,
    },
};

#[tokio::test]
async fn a_late_answer_replaces_nothing() {
    for client in CLIENTS {
        let permits = Arc::new(Semaphore::new(0));
        let late = Say(answer(&token_json("late")));
        let peer = Peer::playing(vec![Hear, Wait(permits.clone()), late]).await;
        let source = client.source(format!("http://{}", peer.address), SHORT);
        let error = failure(&source, SHORT, "late").await;
        assert!(error.is_timeout(), "{client:?}: {error}");

        peer.plays(good("in time"));
        recovers(&source, "in time", "late").await;
        permits.add_permits(1000);
        peer.abandoned().await;
        recovers(&source, "in time", "after the late answer").await;
        assert_eq!(source.status().generation, Some(1), "{client:?}");
    }
}
