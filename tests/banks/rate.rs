//! The rate of a token endpoint.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{StatusCode, header::RETRY_AFTER};
use tokio::time::Instant;
use tower_oauth::testing::{Bank, Fault};

use crate::{
    support::presets::BANKS,
    wire::{json, send, token_request, token_request_of},
};

/// The bank's clock, and how much later it is than at the start.
fn clock() -> (impl Fn() -> Instant + Send + Sync, Arc<Mutex<Duration>>) {
    let start = Instant::now();
    let elapsed = Arc::new(Mutex::new(Duration::ZERO));
    let shown = Arc::clone(&elapsed);
    (move || start + *shown.lock().unwrap(), elapsed)
}

#[tokio::test]
async fn requests_over_the_rate_get_a_429_with_the_time_to_wait() {
    for builder in BANKS {
        let (now, elapsed) = clock();
        let bank = builder().client("ana", "secret").clock(now);
        let bank = bank.token_rate(2, Duration::from_secs(10));
        let bank = bank.start().await.unwrap();
        // All clients share the rate.
        let ana = token_request_of(&bank, "ana", "secret");
        assert!(send(ana.clone()).await.unwrap().status().is_success());
        *elapsed.lock().unwrap() = Duration::from_millis(2_500);
        let own = send(token_request(&bank)).await.unwrap();
        assert!(own.status().is_success());
        let over = send(ana.clone()).await.unwrap();
        assert_eq!(over.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(over.headers()[RETRY_AFTER], "8"); // 7.5 s, rounded up
        assert_eq!(json(&over)["error"], "too_many_requests");
        assert_eq!(
            bank.last_error().unwrap(),
            "more token requests than the rate: 2 per 10s"
        );
        *elapsed.lock().unwrap() = Duration::from_secs(10);
        assert!(send(ana.clone()).await.unwrap().status().is_success());
        let counters = bank.counters();
        assert_eq!((counters.token_requests, counters.token_over_rate), (4, 1));
        assert_eq!((counters.tokens_issued, counters.token_denials), (3, 0));
        assert_eq!(bank.client("ana").counters().token_requests, 3);
    }
}

#[tokio::test]
async fn a_request_over_the_rate_meets_no_fault() {
    let (now, elapsed) = clock();
    let bank = Bank::avista().clock(now);
    let bank = bank.token_rate(1, Duration::from_secs(1));
    let bank = bank.start().await.unwrap();
    let mut statuses = Vec::new();
    bank.token_faults([
        Fault::status(StatusCode::BAD_GATEWAY),
        Fault::status(StatusCode::GONE),
    ]);
    for second in [0, 0, 1] {
        *elapsed.lock().unwrap() = Duration::from_secs(second);
        let response = send(token_request(&bank)).await.unwrap();
        statuses.push(response.status().as_u16());
    }
    // A request that meets a fault counts, one over the rate does not.
    assert_eq!(statuses, [502, 429, 410]);
    assert_eq!(bank.counters().token_faults, 2);
}
