//! Banks with many clients.

use bytes::Bytes;
use http::{Response, StatusCode};
use tower_oauth::testing::{Bank, Fault};

use crate::{
    support::presets::BANKS,
    wire::{api_request_of, json, send, token, token_request, token_request_of},
};

/// Each bank, with the clients `ana` and `bob` beside its own.
async fn banks() -> Vec<Bank> {
    let mut banks = Vec::new();
    for builder in BANKS {
        let builder = builder()
            .client("ana", "ana-secret")
            .client("bob", "bob-secret");
        banks.push(builder.start().await.unwrap());
    }
    banks
}

async fn ask(bank: &Bank, id: &str, secret: &str) -> Response<Bytes> {
    send(token_request_of(bank, id, secret)).await.unwrap()
}

async fn token_of(bank: &Bank, id: &str) -> String {
    let response = ask(bank, id, bank.client(id).secret()).await;
    json(&response)["access_token"].as_str().unwrap().to_owned()
}

async fn call(bank: &Bank, id: &str, token: &str) -> Response<Bytes> {
    let request = api_request_of(bank, id, &bank.api_url(), token);
    send(request).await.unwrap()
}

async fn status(bank: &Bank, id: &str, token: &str) -> StatusCode {
    call(bank, id, token).await.status()
}

#[tokio::test]
async fn the_api_says_whose_token_it_got() {
    for bank in banks().await {
        for id in [bank.client_id(), "ana", "bob"] {
            let token = token_of(&bank, id).await;
            let echo = json(&call(&bank, id, &token).await);
            assert_eq!(echo["client_id"], id, "{}", bank.name());
        }
    }
}

#[tokio::test]
async fn one_clients_tokens_are_revoked_or_expire_and_no_others() {
    for bank in banks().await {
        let (own, ana, bob) = (
            token(&bank).await,
            token_of(&bank, "ana").await,
            token_of(&bank, "bob").await,
        );
        bank.client("ana").revoke_all();
        bank.client("bob").expire_all();
        assert!(!status(&bank, "ana", &ana).await.is_success());
        assert!(bank.last_error().unwrap().contains("revoked"));
        assert!(!status(&bank, "bob", &bob).await.is_success());
        assert!(bank.last_error().unwrap().contains("expired"));
        assert!(status(&bank, bank.client_id(), &own).await.is_success());
        // The next token is valid.
        let ana = token_of(&bank, "ana").await;
        assert!(status(&bank, "ana", &ana).await.is_success());
        bank.revoke_all();
        assert!(!status(&bank, "ana", &ana).await.is_success());
        assert!(!status(&bank, bank.client_id(), &own).await.is_success());
    }
}

#[tokio::test]
async fn a_secret_belongs_to_one_client() {
    for bank in banks().await {
        let swapped = ask(&bank, "ana", "bob-secret").await;
        assert_eq!(swapped.status(), StatusCode::UNAUTHORIZED);
        bank.client("ana").set_secret("the next secret");
        assert_eq!(bank.client("ana").secret(), "the next secret");
        for (id, secret, accepted) in [
            ("ana", "ana-secret", false),
            ("ana", "the next secret", true),
            ("bob", "bob-secret", true),
            ("eve", "ana-secret", false),
        ] {
            let status = ask(&bank, id, secret).await.status();
            assert_eq!(status.is_success(), accepted, "{} {id}", bank.name());
        }
        assert!(!bank.last_error().unwrap().contains("secret-"));
        let own = send(token_request(&bank)).await.unwrap();
        assert!(own.status().is_success());
    }
}

#[tokio::test]
async fn a_disabled_client_is_denied_until_it_is_enabled() {
    for bank in banks().await {
        let before = token_of(&bank, "ana").await;
        bank.client("ana").disable();
        let denied = ask(&bank, "ana", "ana-secret").await;
        assert_eq!(denied.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(json(&denied)["error"], "invalid_client");
        assert_eq!(bank.last_error().unwrap(), "the client is disabled");
        // A wrong secret is reported as one.
        ask(&bank, "ana", "wrong").await;
        assert!(bank.last_error().unwrap().contains("client"));
        assert_ne!(bank.last_error().unwrap(), "the client is disabled");
        assert!(ask(&bank, "bob", "bob-secret").await.status().is_success());
        assert!(status(&bank, "ana", &before).await.is_success());
        bank.client("ana").enable();
        assert!(ask(&bank, "ana", "ana-secret").await.status().is_success());
    }
}

#[tokio::test]
async fn each_client_has_counters_of_its_own() {
    for bank in banks().await {
        let ana = token_of(&bank, "ana").await;
        ask(&bank, "ana", "wrong").await;
        bank.token_faults([Fault::status(StatusCode::BAD_GATEWAY)]);
        ask(&bank, "ana", "ana-secret").await;
        status(&bank, "ana", &ana).await;
        bank.client("ana").revoke_all();
        status(&bank, "ana", &ana).await;
        ask(&bank, "eve", "unknown").await;

        let counters = bank.client("ana").counters();
        assert_eq!(counters.token_requests, 3, "{}", bank.name());
        assert_eq!(counters.tokens_issued, 1);
        assert_eq!(counters.token_denials, 1);
        assert_eq!((counters.api_requests, counters.api_ok), (2, 1));
        let others = [bank.client("bob"), bank.client(bank.client_id())];
        assert!(others.iter().all(|it| it.counters() == Default::default()));
        assert_eq!(bank.counters().token_requests, 4);
        assert_eq!(bank.counters().token_denials, 2);
    }
}

#[tokio::test]
async fn at_anbima_a_token_goes_with_the_id_of_its_client() {
    let bank = Bank::anbima()
        .client("ana", "secret")
        .start()
        .await
        .unwrap();
    let token = token_of(&bank, "ana").await;
    assert_eq!(status(&bank, "ana", &token).await, StatusCode::OK);
    for other in [bank.client_id(), "eve"] {
        let rejected = status(&bank, other, &token).await;
        assert_eq!(rejected, StatusCode::UNAUTHORIZED);
        assert!(bank.last_error().unwrap().contains("client_id"));
    }
}

#[tokio::test]
async fn a_new_token_replaces_those_of_its_client_alone() {
    for builder in BANKS {
        let bank = builder().client("ana", "ana-secret").single_active();
        let bank = bank.start().await.unwrap();
        let (own, first) = (token(&bank).await, token_of(&bank, "ana").await);
        let second = token_of(&bank, "ana").await;
        assert!(!status(&bank, "ana", &first).await.is_success());
        assert!(status(&bank, "ana", &second).await.is_success());
        assert!(status(&bank, bank.client_id(), &own).await.is_success());
    }
}

#[tokio::test]
async fn a_bank_that_repeats_tokens_repeats_each_clients_own() {
    for builder in BANKS {
        let bank = builder()
            .client("ana", "ana-secret")
            .same_token_until_expiry();
        let bank = bank.start().await.unwrap();
        let (own, ana) = (token(&bank).await, token_of(&bank, "ana").await);
        assert_ne!(own, ana);
        assert_eq!(token_of(&bank, "ana").await, ana);
        assert_eq!(token(&bank).await, own);
    }
}

#[tokio::test]
async fn a_later_client_replaces_one_of_the_same_id() {
    let bank = Bank::avista()
        .credentials("ana", "first")
        .clients([("ana", "second"), ("bob", "first"), ("bob", "second")])
        .start()
        .await
        .unwrap();
    assert_eq!((bank.client_id(), bank.client_secret()), ("ana", "second"));
    assert!(ask(&bank, "bob", "second").await.status().is_success());
    assert!(!ask(&bank, "bob", "first").await.status().is_success());
    let bank = Bank::avista()
        .client("ana", "first")
        .credentials("ana", "second");
    let bank = bank.start().await.unwrap();
    assert!(ask(&bank, "ana", "second").await.status().is_success());
    assert!(!ask(&bank, "ana", "first").await.status().is_success());
}

#[tokio::test]
async fn one_client_of_ten_thousand_is_found_at_once() {
    let clients = (0..10_000).map(|n| (format!("client-{n}"), format!("secret-{n}")));
    let bank = Bank::bankly().clients(clients).start().await.unwrap();
    for id in ["client-0", "client-5000", "client-9999"] {
        let token = token_of(&bank, id).await;
        assert_eq!(json(&call(&bank, id, &token).await)["client_id"], id);
    }
}

#[tokio::test]
#[should_panic(expected = "the bank knows no client \"eve\"")]
async fn a_client_that_is_not_there_is_a_mistake_of_the_test() {
    let bank = Bank::avista().start().await.unwrap();
    bank.client("eve");
}

#[tokio::test]
async fn no_debug_shows_a_clients_secret() {
    let builder = Bank::avista().client("ana", "the-secret");
    assert!(!format!("{builder:?}").contains("the-secret"));
    let bank = builder.start().await.unwrap();
    let debug = format!("{:?}", bank.client("ana"));
    assert!(debug.contains("ana") && !debug.contains("the-secret"));
}
