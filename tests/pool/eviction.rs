//! Idle sources are dropped, and those in use are not.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth::{BoxError, OAuthLayer};

use crate::bank::{Bank, secs, token};

#[tokio::test(start_paused = true)]
async fn an_idle_source_is_dropped_and_comes_back_on_demand() {
    let bank = Bank::new();
    let pool = bank.pool().idle_timeout(secs(80)).build().unwrap();
    token(&pool, 1).await;
    token(&pool, 2).await;
    for _ in 0..10 {
        tokio::time::sleep(secs(20)).await;
        token(&pool, 2).await;
    }
    let status = pool.status();
    assert_eq!((status.sources.total, status.evicted_idle), (1, 1));
    assert_eq!((bank.made(1), bank.made(2)), (1, 1));
    assert_eq!(token(&pool, 1).await, "1:2");
}

#[tokio::test(start_paused = true)]
async fn without_traffic_somebody_must_ask() {
    let bank = Bank::new();
    let pool = bank.pool().idle_timeout(secs(80)).build().unwrap();
    token(&pool, 1).await;
    let asleep = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    tokio::time::sleep(secs(81)).await;
    assert_eq!((pool.status().sources.total, asleep), (1, 0));
    pool.evict_idle();
    assert_eq!(pool.status().sources.total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_somebody_holds_is_not_dropped() {
    let bank = Bank::new();
    let pool = bank.pool().idle_timeout(secs(8)).build().unwrap();
    let held = pool.source(&1).await.unwrap();
    held.ready().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    pool.evict_idle();
    assert_eq!(token(&pool, 1).await, "1:1");
    drop(held);
    tokio::time::sleep(secs(60)).await;
    pool.evict_idle();
    assert_eq!(token(&pool, 1).await, "1:2");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_nobody_waits_for_any_more_is_not_cut() {
    let bank = Bank::new();
    bank.state().latency = secs(6);
    let pool = bank.pool().idle_timeout(secs(1)).build().unwrap();
    let source = pool.source(&1).await.unwrap();
    let gives_up = tokio::time::timeout(secs(1), source.token()).await;
    assert!(gives_up.is_err());
    drop(source);
    tokio::time::sleep(secs(2)).await;
    pool.evict_idle();
    assert_eq!(pool.status().sources.total, 1);
    tokio::time::sleep(secs(4)).await;
    assert_eq!(token(&pool, 1).await, "1:1");
    assert_eq!(bank.made(1), 1);
}

/// The source of a request under way is held by the layer alone.
#[tokio::test(start_paused = true)]
async fn the_source_of_a_request_under_way_is_not_dropped() {
    let bank = Bank::new();
    let pool = bank
        .pool()
        .idle_timeout(secs(1))
        .capacity(1)
        .build()
        .unwrap();
    let slow = service_fn(|request: Request<String>| async move {
        tokio::time::sleep(secs(30)).await;
        let is_rejected = request.headers()["authorization"] == "Bearer 1:1";
        let status = if is_rejected {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::OK
        };
        Ok::<_, BoxError>(Response::builder().status(status).body(())?)
    });
    let api = OAuthLayer::from_extension().retry_rejected().layer(slow);
    let mut request = Request::get("https://api.example/cob")
        .body(String::new())
        .unwrap();
    request
        .extensions_mut()
        .insert(pool.source(&1).await.unwrap());
    let sending = tokio::spawn(api.oneshot(request));
    tokio::time::sleep(secs(5)).await;
    for other in 2..50 {
        token(&pool, other).await; // the pool is full, and everything is idle at once
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let response = sending.await.unwrap().unwrap();
    assert_eq!(response.status(), 200, "its rejected token was replaced");
    assert_eq!((bank.made(1), bank.state().token_requests[&1]), (1, 2));
}

/// The client has taken the request apart, and only the layer still has its source.
#[tokio::test(start_paused = true)]
async fn the_source_of_a_request_that_was_sent_is_not_dropped() {
    let bank = Bank::new();
    let pool = bank.pool().idle_timeout(secs(1)).build().unwrap();
    let slow = service_fn(|request: Request<String>| async move {
        drop(request);
        tokio::time::sleep(secs(30)).await;
        Ok::<_, BoxError>(Response::new(()))
    });
    let api = OAuthLayer::from_extension().layer(slow);
    let mut request = Request::new(String::new());
    *request.uri_mut() = "https://api.example/cob".parse().unwrap();
    let source = pool.source(&1).await.unwrap();
    request.extensions_mut().insert(source);
    let sending = tokio::spawn(api.oneshot(request));
    tokio::time::sleep(secs(20)).await;
    pool.evict_idle();
    assert_eq!(pool.status().sources.total, 1);
    sending.await.unwrap().unwrap();
    pool.evict_idle();
    assert_eq!(pool.status().sources.total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_drops_what_is_used_least() {
    let bank = Bank::new();
    let pool = bank.pool().capacity(100).build().unwrap();
    for round in 0..20 {
        for regular in 0..50 {
            token(&pool, regular).await;
        }
        for _ in 0..20 {
            token(&pool, 1000 + round).await;
        }
    }
    for passer_by in 2000..2500 {
        token(&pool, passer_by).await;
    }
    let status = pool.status();
    assert_eq!(status.sources.total, 100);
    assert_eq!(status.evicted_full, 50 + 20 + 500 - 100);
    let kept = (0..50).filter(|regular| bank.made(*regular) == 1);
    assert_eq!(kept.count(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_pool_whose_sources_are_all_in_use_holds_more() {
    let bank = Bank::new();
    let pool = bank.pool().capacity(10).build().unwrap();
    let mut held = Vec::new();
    for customer in 0..30 {
        held.push(pool.source(&customer).await.unwrap());
    }
    for customer in 0..30 {
        pool.source(&customer).await.unwrap();
    }
    assert!((0..30).all(|customer| bank.made(customer) == 1));
    drop(held);
    for customer in 100..200 {
        pool.source(&customer).await.unwrap();
    }
    assert!(pool.status().sources.total <= 10);
}
