use http::StatusCode;
use tower_oauth::testing::Bank;

use crate::wire::{all_banks, api_status, send, token, token_request};

#[tokio::test]
async fn no_debug_shows_a_secret_or_a_token() {
    let builder = Bank::avista().credentials("the-id", "the-secret");
    assert!(!format!("{builder:?}").contains("the-secret"));
    let bank = builder.start().await.unwrap();
    let token = token(&bank).await;
    let debug = format!("{bank:?}");
    assert!(debug.contains("tokens_issued: 1"), "{debug}");
    assert!(!debug.contains("the-secret") && !debug.contains(&token));
}

#[tokio::test]
async fn a_refusal_repeats_nothing_of_the_request() {
    for bank in all_banks().await {
        let mut request = token_request(&bank);
        *request.body_mut() = "some-secret=1".into();
        send(request).await.unwrap();
        api_status(&bank, "some-secret").await;
        let reason = bank.last_refusal().unwrap();
        assert!(!reason.contains("some-secret"), "{reason}");
    }
}

#[tokio::test]
async fn a_stopped_bank_frees_its_port_for_the_next() {
    let bank = Bank::avista().start().await.unwrap();
    let url = bank.token_url();
    let port = bank
        .api_origin()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(Bank::avista().port(port).start().await.is_err());
    let request = token_request(&bank);
    bank.stop().await;
    assert!(send(request.clone()).await.is_err());
    let again = Bank::avista().port(port).start().await.unwrap();
    assert_eq!(again.token_url(), url);
    assert_eq!(send(request).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_dropped_bank_serves_no_more() {
    let bank = Bank::avista().start().await.unwrap();
    let request = token_request(&bank);
    drop(bank);
    assert!(send(request).await.is_err());
}

#[tokio::test]
async fn a_thousand_connections_at_once_are_served() {
    let bank = Bank::anbima().start().await.unwrap();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        requests.spawn(send(token_request(&bank)));
    }
    let answers = requests.join_all().await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(bank.counters().tokens_issued, 1_000);
}
