//! Rejected tokens: what is fetched, and what is sent again.

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use http_body_util::Full;
use reqwest::Body;
use tower_oauth::testing::Bank;

use super::{all_banks, get, middleware, post, recommended, retrying};

#[tokio::test]
async fn a_cold_storm_makes_one_fetch_at_every_bank() {
    for bank in all_banks().await {
        let (client, url) = (retrying(&bank), bank.api_url());
        let statuses = join_all((0..50).map(|_| get(&client, &url))).await;
        assert_eq!(statuses, [StatusCode::OK; 50], "{}", bank.name());
        assert_eq!(bank.counters().token_requests, 1, "{}", bank.name());
    }
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once_and_every_request_retried() {
    for bank in all_banks().await {
        let (client, url) = (retrying(&bank), bank.api_url());
        assert_eq!(get(&client, &url).await, StatusCode::OK);
        bank.revoke_all();
        let statuses = join_all((0..20).map(|_| get(&client, &url))).await;
        assert_eq!(statuses, [StatusCode::OK; 20], "{}", bank.name());
        assert_eq!(bank.counters().token_requests, 2, "{}", bank.name());
    }
}

#[tokio::test]
async fn without_retry_the_rejection_is_handed_on_and_the_next_request_has_a_new_token() {
    let bank = Bank::avista().start().await.unwrap();
    let (client, url) = (
        recommended(&bank).with(middleware(&bank)).build(),
        bank.api_url(),
    );
    assert_eq!(get(&client, &url).await, StatusCode::OK);
    bank.revoke_all();
    assert_eq!(get(&client, &url).await, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&client, &url).await, StatusCode::OK);
    assert_eq!(bank.counters().token_requests, 2);
}

#[tokio::test]
async fn a_body_that_can_be_cloned_is_sent_again_whole() {
    let bank = Bank::avista().start().await.unwrap();
    let client = retrying(&bank);
    assert_eq!(post(&client, &bank, "first").await.status(), StatusCode::OK);
    bank.revoke_all();
    let response = post(&client, &bank, "second").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.text().await.unwrap().contains("second"));
    assert_eq!(bank.counters().api_unauthorized, 1);
}

#[tokio::test]
async fn a_body_that_is_a_stream_is_not_sent_again() {
    let bank = Bank::avista().start().await.unwrap();
    let client = retrying(&bank);
    let stream = || Body::wrap(Full::new(Bytes::from_static(b"once")));
    assert_eq!(
        post(&client, &bank, stream()).await.status(),
        StatusCode::OK
    );
    bank.revoke_all();
    let rejected = post(&client, &bank, stream()).await;
    assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
    let next = post(&client, &bank, stream()).await;
    assert_eq!(next.status(), StatusCode::OK);
    assert_eq!(bank.counters().token_requests, 2);
    assert_eq!(bank.counters().api_requests, 3);
}

#[tokio::test]
async fn a_stream_is_sent_again_up_to_the_limit_for_streams() {
    for (limit, expected) in [(9, StatusCode::OK), (8, StatusCode::UNAUTHORIZED)] {
        let bank = Bank::avista().start().await.unwrap();
        let middleware = middleware(&bank).retry_rejected().resend_streams(limit);
        let client = recommended(&bank).with(middleware).build();
        let stream = || Body::wrap(Full::new(Bytes::from_static(b"a payment")));
        assert_eq!(
            post(&client, &bank, stream()).await.status(),
            StatusCode::OK
        );
        bank.revoke_all();
        let response = post(&client, &bank, stream()).await;
        assert_eq!(response.status(), expected);
        let text = response.text().await.unwrap();
        assert_eq!(text.contains("a payment"), expected == StatusCode::OK);
        // A body that can be cloned needs no limit.
        bank.revoke_all();
        let next = post(&client, &bank, "a payment").await;
        assert_eq!(next.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn after_an_ambiguous_rejection_a_post_is_retried_only_on_demand() {
    for (danger_retry_any_method, expected) in
        [(false, StatusCode::FORBIDDEN), (true, StatusCode::OK)]
    {
        let bank = Bank::anbima().start().await.unwrap();
        let middleware = match danger_retry_any_method {
            true => middleware(&bank).danger_retry_any_method().retry_rejected(),
            false => middleware(&bank).retry_rejected(),
        };
        let client = recommended(&bank).with(middleware).build();
        assert_eq!(post(&client, &bank, "x").await.status(), StatusCode::OK);
        bank.revoke_all();
        assert_eq!(post(&client, &bank, "x").await.status(), expected);
        assert_eq!(get(&client, &bank.api_url()).await, StatusCode::OK);
        assert_eq!(bank.counters().token_requests, 2);
    }
}

#[tokio::test]
async fn anbimas_403_for_the_plan_costs_one_fetch() {
    let bank = Bank::anbima().start().await.unwrap();
    let client = retrying(&bank);
    for _ in 0..10 {
        let status = get(&client, &bank.forbidden_url()).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(get(&client, &bank.api_url()).await, StatusCode::OK);
    }
    assert_eq!(bank.counters().token_requests, 2);
}

#[tokio::test]
async fn a_403_elsewhere_costs_no_fetch() {
    for bank in &all_banks().await[1..] {
        let client = retrying(bank);
        let status = get(&client, &bank.forbidden_url()).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(get(&client, &bank.api_url()).await, StatusCode::OK);
        assert_eq!(bank.counters().token_requests, 1, "{}", bank.name());
    }
}
