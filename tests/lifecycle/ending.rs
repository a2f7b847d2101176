//! How a source ends, and that an idle one does nothing.

use std::sync::mpsc;

use crate::support::{
    Api, Endpoint, at_once, fetch_ended, get,
    layered::{plain, status},
    millis, secs, served,
};
use futures_util::FutureExt;
use tower::service_fn;
use tower_oauth::{BoxError, FetchError, SourceState, Token, TokenRequest, TokenSource};

/// A source whose fetcher hangs. What it holds is dropped with the fetch, and with the fetcher: the receiver is
/// disconnected only once both are gone.
fn hanging() -> (TokenSource, mpsc::Receiver<()>) {
    let (held, gone) = mpsc::channel();
    let fetcher = service_fn(move |_: TokenRequest| {
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, BoxError>(Token::new("never"))
        }
    });
    (TokenSource::builder(fetcher).build().unwrap(), gone)
}

fn is_gone(gone: &mpsc::Receiver<()>) -> bool {
    gone.try_recv() == Err(mpsc::TryRecvError::Disconnected)
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_dropped_during_a_fetch_ends_it() {
    let (source, gone) = hanging();
    let clone = source.clone();
    assert!(at_once(&source).is_none());
    tokio::task::yield_now().await;
    drop(source);
    tokio::time::sleep(millis(1)).await;
    assert!(clone.status().fetching);
    assert_eq!(clone.status().counters.attempts, 1);
    drop(clone);
    tokio::time::sleep(millis(1)).await;
    assert!(is_gone(&gone));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_dropped_during_a_back_off_leaves_nothing() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    assert!(source.token().await.is_err());
    drop(source);
    assert_eq!(tasks(), 0);
    tokio::time::advance(secs(600)).await;
    assert_eq!(endpoint.attempts(), 1);
}

/// The tasks that are alive on this runtime.
fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn an_idle_source_runs_nothing_and_asks_for_nothing() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    tokio::time::sleep(secs(3600)).await;
    assert_eq!((tasks(), endpoint.attempts()), (0, 0));
    source.ready().await.unwrap();
    tokio::time::sleep(secs(24 * 3600)).await;
    assert_eq!((tasks(), endpoint.attempts()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_fails_those_who_wait_and_those_who_come() {
    let (source, gone) = hanging();
    let waiter = tokio::spawn({
        let source = source.clone();
        async move { source.token().await.map(|_| ()) }
    });
    tokio::time::sleep(secs(1)).await;
    source.shutdown();
    assert!(waiter.await.unwrap().unwrap_err().is_closed());
    assert!(at_once(&source).unwrap().unwrap_err().is_closed());
    assert!(source.ready().await.unwrap_err().is_closed());
    assert!(!source.status().fetching);
    assert_eq!(source.status().counters.attempts, 1);
    drop(source);
    assert!(is_gone(&gone));
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_the_token_is_used_until_its_end_and_not_refreshed() {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    let source = endpoint.source();
    source.ready().await.unwrap();
    source.shutdown();
    tokio::time::advance(secs(900)).await;
    assert_eq!(served(&source), "token-1");
    fetch_ended(&source).await;
    source.retry_now();
    assert_eq!(served(&source), "token-1");
    tokio::time::advance(secs(90)).await;
    assert!(at_once(&source).unwrap().unwrap_err().is_closed());
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_leaves_a_rejected_token_in_service() {
    let endpoint = Endpoint::new().latency(secs(5));
    let source = endpoint.source();
    let generation = source.token().await.unwrap().generation();
    source.invalidate(generation);
    assert!(at_once(&source).is_none());
    source.shutdown();
    assert_eq!(served(&source), "token-1");
    tokio::time::sleep(secs(10)).await;
    assert_eq!(served(&source), "token-1");
    assert_eq!(endpoint.attempts(), 1);
}

/// Asked through the source alone, it would be handed over however it is marked; the layer goes by the mark.
#[tokio::test(start_paused = true)]
async fn a_shutdown_leaves_a_rejected_token_in_service_for_requests() {
    let endpoint = Endpoint::new().latency(secs(5));
    let source = endpoint.source();
    let generation = source.token().await.unwrap().generation();
    source.invalidate(generation);
    tokio::task::yield_now().await;
    assert_eq!(source.status().state, SourceState::Suspended);
    source.shutdown();
    assert!(source.status().state.is_usable());
    let api = Api::ok();
    assert_eq!(status(&plain(&source, &api), get("/")).await, 200);
    assert_eq!(api.tokens(), ["token-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_streams_of_changes() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let mut early = source.changes();
    source.shutdown();
    let mut late = source.changes();
    let ended = async |changes: &mut tower_oauth::Changes| {
        let next = tokio::time::timeout(secs(1), changes.next());
        next.await.expect("it goes on").is_none()
    };
    for changes in [&mut early, &mut late] {
        assert!(ended(changes).await);
        assert!(ended(changes).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_dropped_ends_the_streams_of_changes() {
    let (source, _gone) = hanging();
    let mut changes = source.changes();
    let mut next = Box::pin(changes.next());
    assert!(next.as_mut().now_or_never().is_none());
    drop(source);
    assert!(next.await.is_none());
    assert!(changes.next().await.is_none());
}
