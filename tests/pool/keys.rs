//! One source for each key.

use std::time::Duration;

use tokio::task::JoinSet;
use tower_oauth::pool::SourcePool;

use crate::bank::{Bank, secs, token};

#[tokio::test(start_paused = true)]
async fn each_key_has_one_source_however_many_ask() {
    let bank = Bank::new();
    bank.state().making = Duration::from_millis(50);
    let pool = bank.pool().build().unwrap();
    let mut asking = JoinSet::new();
    for at in 0..1000 {
        let pool = pool.clone();
        asking.spawn(async move { token(&pool, at % 10).await });
    }
    let tokens = asking.join_all().await;
    assert_eq!(tokens.len(), 1000);
    assert!((0..10).all(|customer| bank.made(customer) == 1));
    assert_eq!(bank.state().token_requests.len(), 10);
    assert!(bank.state().token_requests.values().all(|it| *it == 1));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_one_who_makes_a_source_lets_another_make_it() {
    let bank = Bank::new();
    bank.state().making = secs(1);
    let pool = bank.pool().build().unwrap();
    let first = tokio::spawn({
        let pool = pool.clone();
        async move { token(&pool, 1).await }
    });
    let second = tokio::spawn({
        let pool = pool.clone();
        async move { token(&pool, 1).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.abort();
    assert_eq!(second.await.unwrap(), "1:1");
    assert_eq!((bank.made(1), pool.status().made), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_removed_source_is_made_anew_and_those_who_have_it_go_on() {
    let bank = Bank::new();
    let pool = bank.pool().build().unwrap();
    let held = pool.source(&1).await.unwrap();
    assert_eq!(token(&pool, 1).await, "1:1");
    assert!(pool.remove(&1));
    assert!(!pool.remove(&1));
    assert_eq!(token(&pool, 1).await, "1:2");
    assert_eq!(held.token().await.unwrap().expose_token(), "1:1");
    assert_eq!(bank.made(1), 2);
}

/// What was made may rest on the credential that made somebody remove the key.
#[tokio::test(start_paused = true)]
async fn a_source_that_is_removed_while_it_is_made_is_made_again() {
    let bank = Bank::new();
    bank.state().making = secs(1);
    let pool = bank.pool().build().unwrap();
    let asking = tokio::spawn({
        let pool = pool.clone();
        async move { token(&pool, 1).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    pool.remove(&1);
    assert_eq!(asking.await.unwrap(), "1:1");
    assert_eq!(bank.made(1), 2);
    assert_eq!(pool.status().sources.total, 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_pool_ends_its_sources() {
    let bank = Bank::new();
    let pool = bank.pool().build().unwrap();
    let mut kept = Vec::new();
    for customer in 0..100 {
        let source = pool.source(&customer).await.unwrap();
        source.ready().await.unwrap();
        kept.push(tokio::spawn(source.keep_fresh()));
    }
    let clone = pool.clone();
    drop(pool);
    tokio::task::yield_now().await;
    assert!(kept.iter().all(|task| !task.is_finished()));
    drop(clone);
    for task in kept {
        task.await.unwrap(); // it ends with its source
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_outlives_the_pool() {
    let bank = Bank::new();
    bank.state().latency = secs(1);
    let pool = bank.pool().build().unwrap();
    let source = pool.source(&1).await.unwrap();
    drop(pool);
    assert_eq!(source.token().await.unwrap().expose_token(), "1:1");
}

#[test]
fn what_cannot_work_is_an_error_when_built() {
    let error = |change: fn(Builder) -> Builder| {
        let error = change(Bank::outside().pool()).build().unwrap_err();
        error.to_string()
    };
    type Builder = tower_oauth::pool::SourcePoolBuilder<u32>;
    assert_eq!(
        error(|it| it.capacity(0)),
        "pool: invalid `capacity` 0: must be at least 1"
    );
    assert_eq!(
        error(|it| it.idle_timeout(Duration::ZERO).name("efi")),
        "efi: invalid `idle_timeout` 0s: must be longer than zero"
    );
    assert_eq!(error(|it| it.name("")), "invalid `name`: must not be empty");
}

#[test]
fn nothing_shows_the_keys() {
    let pool = Bank::outside().pool().name("efi").build().unwrap();
    let shown: &SourcePool<u32> = &pool;
    assert_eq!(format!("{shown:?}"), r#"SourcePool { name: "efi", .. }"#);
}
