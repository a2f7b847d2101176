//! Peers that come and go, or point elsewhere.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{net::TcpListener, time::timeout};
use tower_oauth::testing::Authority;

use crate::{
    client::{CLIENTS, LONG, SHORT, SLACK, chain, failure, recovers},
    peer::Peer,
    script::{
        CLOSE,
        Step::{Hear, Reset, Say, Stall},
        answer, good, token_json,
    },
};

#[tokio::test]
async fn a_peer_that_accepts_nothing() {
    for client in CLIENTS {
        let peer = Peer::deaf().await;
        let source = client.source(format!("http://{}", peer.address), SHORT);
        let error = failure(&source, SHORT, "deaf").await;
        assert!(error.is_timeout(), "{client:?}: {error}");
        peer.plays(good("recovered"));
        recovers(&source, "recovered", "deaf").await;
    }
}

#[tokio::test]
async fn a_port_that_is_closed_and_opens_again() {
    for client in CLIENTS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let source = client.source(format!("http://{address}"), LONG);
        let error = failure(&source, LONG, "closed").await;
        assert!(error.is_unavailable(), "{client:?}: {error}");

        let peer = Peer::at(TcpListener::bind(address).await.unwrap());
        peer.plays(good("recovered"));
        recovers(&source, "recovered", "opened again").await;
    }
}

/// Of three connections one is reset and one finds it out of order: no fetch fails.
#[tokio::test]
async fn a_flapping_peer_costs_no_fetch() {
    const ROUNDS: u64 = 20;
    for client in CLIENTS {
        let peer = Peer::deaf().await;
        peer.plays_by_number(|number| match number % 3 {
            0 => vec![Reset],
            1 => vec![Hear, Say(format!("HTTP/1.1 503 Oh\r\n{CLOSE}\r\n"))],
            _ => good(&format!("token-{number}")),
        });
        let url = format!("http://{}", peer.address);
        let source = client.source_with(url, &Authority::new().unwrap(), |policy| {
            policy.rejection.burst = 100;
        });
        for round in 1..=ROUNDS {
            let token = timeout(LONG, source.token()).await.unwrap().unwrap();
            assert_eq!(token.generation().get(), round, "{client:?}");
            source.invalidate(token.generation());
        }
        assert_eq!(peer.connections(), 3 * ROUNDS, "{client:?}");
    }
}

/// The bound of a fetch holds whatever its attempts do, and everybody who waits gets its one error.
#[tokio::test]
async fn a_fetch_of_stalls_ends_for_everyone_within_its_bound() {
    for client in CLIENTS {
        let peer = Peer::playing(vec![Hear, Stall]).await;
        let url = format!("http://{}", peer.address);
        let source = client.source_with(url, &Authority::new().unwrap(), |policy| {
            policy.retry.attempts = 1000;
            policy.timeouts.attempt = Duration::from_millis(100);
            policy.timeouts.fetch = SHORT;
        });
        let waiters = join_all((0..100).map(|_| source.token()));
        let errors = timeout(SHORT + SLACK, waiters).await.expect("no hang");
        assert!(
            errors
                .iter()
                .all(|it| it.as_ref().is_err_and(|it| it.is_timeout()))
        );
        assert_eq!(source.status().counters.fetches, 1, "{client:?}");
        assert!(
            peer.connections() <= 5,
            "{client:?}: {}",
            peer.connections()
        );
        peer.plays(good("recovered"));
        recovers(&source, "recovered", "a fetch of stalls").await;
    }
}

/// What follows an answer on its connection is not taken for the next one.
#[tokio::test]
async fn a_forged_second_answer_is_not_used() {
    for client in CLIENTS {
        let twice =
            answer(&token_json("first")).replace(CLOSE, "") + &answer(&token_json("forged"));
        let peer = Peer::playing(vec![Hear, Say(twice), Stall]).await;
        let source = client.source(format!("http://{}", peer.address), LONG);
        recovers(&source, "first", "an answer with another behind it").await;

        peer.plays(good("second"));
        source.invalidate(source.token().await.unwrap().generation());
        recovers(&source, "second", "the answer after that").await;
    }
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    for client in CLIENTS {
        for status in [301, 302, 303, 307, 308] {
            let elsewhere = Peer::playing(good("stolen")).await;
            let head = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
                elsewhere.address
            );
            let peer = Peer::playing(vec![Hear, Say(head)]).await;
            let source = client.source(format!("http://{}", peer.address), LONG);
            let error = failure(&source, LONG, "redirect").await;
            assert!(
                chain(&error).contains("never followed"),
                "{client:?}: {error}"
            );
            assert_eq!(elsewhere.connections(), 0, "{client:?}, {status}");
            peer.plays(good("recovered"));
            recovers(&source, "recovered", "redirect").await;
        }
    }
}
