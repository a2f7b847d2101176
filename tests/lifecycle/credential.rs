//! What a denied source does when its credential changes, and when it does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::support::{Endpoint, at_once, fetch_ended, millis, secs, text};
use tokio::{runtime::Handle, task::yield_now};
use tower_oauth::{BackOff, FetchError, TokenSource, TokenSourceBuilder};

/// A credential that has changed, or has not, and how often somebody looked.
#[derive(Clone, Default)]
struct Credential {
    changed: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
}

impl Credential {
    fn builder(&self, endpoint: &Endpoint) -> TokenSourceBuilder {
        let credential = self.clone();
        let changed = move || {
            credential.looks.fetch_add(1, SeqCst);
            let changed = credential.changed.load(SeqCst);
            async move { changed }
        };
        endpoint.builder().credential_changed(changed)
    }

    fn source(&self, endpoint: &Endpoint) -> TokenSource {
        self.builder(endpoint).build().unwrap()
    }

    fn change(&self) {
        self.changed.store(true, SeqCst);
    }

    fn looks(&self) -> usize {
        self.looks.load(SeqCst)
    }
}

fn denied() -> FetchError {
    FetchError::permanent("invalid_client")
}

/// Lets everything run that waits for no timer.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// A source in a back-off of about a minute after a denial, and its credential.
async fn backing_off() -> (Endpoint, Credential, TokenSource) {
    let (endpoint, credential) = (Endpoint::new(), Credential::default());
    endpoint.then_fail(denied());
    let builder = credential
        .builder(&endpoint)
        .policy(|policy| policy.back_off.permanent = BackOff::new(secs(60), secs(60)));
    let source = builder.build().unwrap();
    assert!(source.token().await.is_err());
    (endpoint, credential, source)
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_has_changed_is_tried_at_once() {
    let (endpoint, credential) = (Endpoint::new(), Credential::default());
    endpoint.then_fail(denied());
    credential.change();
    let source = credential.source(&endpoint);
    assert_eq!(text(&source).await, "token-1");
    let arrivals = endpoint.arrivals();
    assert_eq!(arrivals.len(), 2);
    assert!(arrivals[1] - arrivals[0] <= millis(2), "{arrivals:?}");
    assert_eq!(credential.looks(), 1);
    let counters = source.status().counters;
    assert_eq!(
        (counters.fetches, counters.attempts, counters.failures),
        (1, 2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_is_always_another_is_tried_once_in_a_fetch() {
    let (endpoint, credential) = (Endpoint::new(), Credential::default());
    for _ in 0..10 {
        endpoint.then_fail(denied());
    }
    credential.change();
    let source = credential.source(&endpoint);
    assert!(source.token().await.is_err());
    assert_eq!((endpoint.attempts(), credential.looks()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_has_not_changed_causes_no_attempt() {
    let arrivals = async |with_credential: bool| {
        let (endpoint, credential) = (Endpoint::new(), Credential::default());
        for _ in 0..100 {
            endpoint.then_fail(denied());
        }
        let source = match with_credential {
            true => credential.source(&endpoint),
            false => endpoint.source(),
        };
        while endpoint.elapsed() < secs(1200) {
            assert!(source.token().await.is_err());
            tokio::time::sleep(millis(500)).await;
        }
        (endpoint.arrivals(), credential.looks())
    };
    let ((watched, looks), (alone, _)) = (arrivals(true).await, arrivals(false).await);
    assert_eq!(watched, alone);
    // One after each denial, and one every 5 s in between.
    assert!((200..=250).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_the_back_off_within_5_s() {
    let (endpoint, credential, source) = backing_off().await;
    let mut changes = source.changes();
    let denied_at = endpoint.elapsed();
    tokio::time::sleep(secs(1)).await;
    credential.change();
    tokio::time::sleep(millis(3900)).await;
    assert!(source.status().retry_at.is_some());
    changes.next().await.unwrap();
    assert_eq!(endpoint.elapsed() - denied_at, secs(5));
    assert_eq!(source.status().retry_at, None);
    // As after `retry_now`, the next request asks.
    assert_eq!(endpoint.attempts(), 1);
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_kept_fresh_source_asks_by_itself_after_a_change() {
    let (endpoint, credential, source) = backing_off().await;
    let task = tokio::spawn(source.keep_fresh());
    credential.change();
    tokio::time::sleep(millis(5100)).await;
    fetch_ended(&source).await;
    assert_eq!(endpoint.attempts(), 2);
    assert_eq!(at_once(&source).unwrap().unwrap(), "token-1");
    drop(source);
    task.await.unwrap();
}

/// How often it was looked at in the next minute, and how many tasks there are.
async fn looks_later(credential: &Credential) -> (usize, usize) {
    settle().await;
    let (before, tasks) = (credential.looks(), tasks());
    tokio::time::sleep(secs(60)).await;
    (credential.looks() - before, tasks)
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_without_a_denial() {
    let (endpoint, credential) = (Endpoint::new(), Credential::default());
    let source = credential.source(&endpoint);
    text(&source).await;
    assert_eq!(looks_later(&credential).await, (0, 0));
    for error in [
        FetchError::transient("busy"),
        FetchError::unclear("what"),
        FetchError::permanent("locked").with_retry_after(secs(60)),
    ] {
        let (endpoint, credential) = (Endpoint::new(), Credential::default());
        credential.change();
        endpoint.then_fail(error);
        let source = credential.source(&endpoint);
        let _ = source.token().await;
        assert_eq!(credential.looks(), 0);
        assert_eq!(looks_later(&credential).await, (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_with_the_back_off() {
    let (_endpoint, credential, source) = backing_off().await;
    settle().await;
    assert_eq!(tasks(), 1);
    source.retry_now();
    assert_eq!(looks_later(&credential).await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_when_the_back_off_has_passed() {
    let (endpoint, credential) = (Endpoint::new(), Credential::default());
    endpoint.then_fail(denied());
    let source = credential.source(&endpoint);
    assert!(source.token().await.is_err());
    settle().await;
    assert_eq!(tasks(), 1);
    tokio::time::sleep(secs(7)).await;
    assert_eq!(looks_later(&credential).await, (0, 0));
    assert_eq!(text(&source).await, "token-1");
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_at_shutdown() {
    let (_endpoint, credential, source) = backing_off().await;
    source.shutdown();
    assert_eq!(looks_later(&credential).await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_with_its_source() {
    let (_endpoint, credential, source) = backing_off().await;
    drop(source);
    assert_eq!(looks_later(&credential).await, (0, 0));
    // The function is gone with it.
    assert_eq!(Arc::strong_count(&credential.looks), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_ends_with_the_back_off() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(denied());
    let source = endpoint
        .builder()
        .credential_changed(std::future::pending)
        .build()
        .unwrap();
    let error = source.token().await.unwrap_err();
    // Bounded as an attempt is.
    assert_eq!(endpoint.elapsed(), secs(8));
    let left = error.retry_after().unwrap();
    tokio::time::sleep(left + millis(1)).await;
    settle().await;
    assert_eq!(tasks(), 0);
    assert_eq!(text(&source).await, "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_has_seen_nothing() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(denied());
    let source = endpoint
        .builder()
        .credential_changed(|| -> std::future::Ready<bool> { panic!("scripted panic") })
        .build()
        .unwrap();
    let error = source.token().await.unwrap_err();
    assert!(error.to_string().contains("invalid_client"), "{error}");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(text(&source).await, "token-1");
    assert_eq!(endpoint.attempts(), 2);
}
