//! A source that cannot be made.

use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinSet;
use tower_oauth::OAuthErrorKind;

use crate::bank::{Bank, secs, token};

#[tokio::test(start_paused = true)]
async fn its_error_goes_to_those_who_ask_for_it_only() {
    let bank = Bank::new();
    bank.state().unknown = vec![7];
    let pool = bank.pool().name("efi").build().unwrap();
    let error = pool.source(&7).await.unwrap_err();
    assert_eq!(error.kind(), OAuthErrorKind::SourceNotMade);
    assert_eq!(error.suggested_status(), StatusCode::SERVICE_UNAVAILABLE);
    let text = error.to_string();
    assert!(
        text.starts_with(
            "efi: the source could not be made: customer 7 is unknown. Next attempt at"
        ),
        "{text}"
    );
    assert_eq!(token(&pool, 8).await, "8:1");
    assert_eq!(pool.status().not_made, 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_remembered_for_a_moment_and_not_for_ever() {
    let bank = Bank::new();
    bank.state().unknown = vec![7];
    bank.state().making = Duration::from_millis(10);
    let pool = bank.pool().build().unwrap();
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let pool = pool.clone();
        asking.spawn(async move { pool.source(&7).await.is_err() });
    }
    assert!(asking.join_all().await.into_iter().all(|failed| failed));
    assert_eq!(bank.made(7), 1);
    tokio::time::sleep(secs(4)).await;
    let error = pool.source(&7).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(secs(1)));
    assert_eq!(bank.made(7), 1);

    bank.state().unknown.clear();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(token(&pool, 7).await, "7:1");
    assert_eq!(bank.made(7), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_remembered_is_still_returned() {
    let bank = Bank::new();
    bank.state().unknown = vec![7];
    bank.state().making = Duration::from_millis(10);
    let pool = bank.pool().failure_memory(Duration::ZERO).build().unwrap();
    for asked in 1..=2 {
        let answer = tokio::time::timeout(secs(1), pool.source(&7)).await;
        answer.expect("it asks again and again").unwrap_err();
        assert_eq!(bank.made(7), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn removing_the_key_forgets_it() {
    let bank = Bank::new();
    bank.state().unknown = vec![7];
    let pool = bank.pool().build().unwrap();
    pool.source(&7).await.unwrap_err();
    bank.state().unknown.clear();
    assert!(pool.remove(&7));
    assert_eq!(token(&pool, 7).await, "7:1");
}

#[tokio::test(start_paused = true)]
async fn failures_do_not_stay_in_the_pool() {
    let bank = Bank::new();
    bank.state().unknown = (0..1000).collect();
    let pool = bank
        .pool()
        .idle_timeout(secs(80))
        .capacity(2000)
        .build()
        .unwrap();
    for customer in 0..1000 {
        pool.source(&customer).await.unwrap_err();
    }
    tokio::time::sleep(secs(10)).await;
    token(&pool, 5000).await;
    let status = pool.status();
    assert_eq!((status.sources.total, status.evicted_idle), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_reaches_its_caller_and_the_next_one_makes_the_source() {
    let bank = Bank::new();
    let source = bank.source(1).unwrap();
    let made = std::sync::atomic::AtomicU32::new(0);
    let pool = tower_oauth::pool::SourcePool::builder(move |_: u32| {
        let number = made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let source = source.clone();
        async move {
            assert_ne!(number, 0, "the vault's client panics");
            Ok::<_, tower_oauth::ConfigError>(source)
        }
    })
    .build()
    .unwrap();
    let panics = tokio::spawn({
        let pool = pool.clone();
        async move { pool.source(&1).await.is_ok() }
    });
    assert!(panics.await.unwrap_err().is_panic());
    assert_eq!(token(&pool, 1).await, "1:1");
}
