//! The four banks, each with its own preset: served, revoked, rejected, refreshed.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use tower::{Layer, ServiceExt};
use tower_oauth::{ClientId, OAuthLayer, provider, testing::Bank};

use crate::stack::{
    BANKS, CLIENTS, Stack, UNTIL_EXPIRED, UNTIL_STALE, at, every_stack, every_stack_of, preset,
};

#[tokio::test]
async fn a_strict_bank_takes_the_token_request_and_the_token() {
    for stack in every_stack().await {
        let url = stack.bank.api_url();
        let answer = stack.call(Method::POST, &url, "a payment").await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", stack.case());
        let echo: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(
            (&echo["method"], &echo["body"]),
            (&"POST".into(), &"a payment".into())
        );
        stack.all_get(10, &url, StatusCode::OK).await;
        stack.assert_fetches(1);
        assert_eq!(stack.counters().api_unauthorized, 0, "{}", stack.case());
        assert_eq!(stack.bank.last_error(), None, "{}", stack.case());
    }
}

#[tokio::test]
async fn a_cold_storm_costs_one_fetch() {
    for stack in every_stack().await {
        let url = stack.bank.api_url();
        stack.all_get(100, &url, StatusCode::OK).await;
        stack.assert_fetches(1);
        assert_eq!(stack.counters().api_requests, 100, "{}", stack.case());
    }
}

/// A 401, at ANBIMA a 403.
#[tokio::test]
async fn a_revoked_token_costs_one_fetch_and_no_request() {
    for stack in every_stack().await {
        stack.source.ready().await.unwrap();
        stack.bank.revoke_all();
        stack
            .all_get(20, &stack.bank.api_url(), StatusCode::OK)
            .await;
        stack.assert_fetches(2);
        let counters = stack.source.status().counters;
        assert!(counters.retries >= 1, "{}", stack.case());
        assert_eq!(counters.retries, counters.rejections, "{}", stack.case());
        assert_eq!(stack.counters().api_ok, 20, "{}", stack.case());
    }
}

/// A token that the bank ended before its time: a 401 everywhere, which retries any method.
#[tokio::test]
async fn a_401_retries_a_post_with_its_body() {
    for stack in every_stack().await {
        stack.source.ready().await.unwrap();
        stack.bank.expire_all();
        let url = stack.bank.api_url();
        let answer = stack.call(Method::POST, &url, "a payment").await.unwrap();
        let echo: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(echo["body"], "a payment", "{}", stack.case());
        stack.assert_fetches(2);
        let counters = stack.counters();
        assert_eq!(
            (counters.api_unauthorized, counters.api_ok),
            (1, 1),
            "{}",
            stack.case()
        );
    }
}

#[tokio::test]
async fn anbimas_403_retries_no_post_unless_it_may() {
    for stack in every_stack_of(&[Bank::anbima], |bank| bank).await {
        let url = stack.bank.api_url();
        stack.source.ready().await.unwrap();
        stack.bank.revoke_all();
        let answer = stack.call(Method::POST, &url, "a payment").await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{}", stack.case());
        stack
            .wait_until(|status| status.generation == Some(2))
            .await;
        assert_eq!(stack.get(&url).await, StatusCode::OK, "{}", stack.case());
        stack.assert_fetches(2);
    }
    for client in CLIENTS {
        let stack = Stack::open(Bank::anbima(), client).await;
        stack.source.ready().await.unwrap();
        stack.bank.revoke_all();
        let layer = OAuthLayer::new(stack.source.clone()).retry_rejected();
        let api = layer
            .danger_retry_any_method()
            .layer(stack.api.get_ref().clone());
        let payment = http::Request::post(stack.bank.api_url());
        let answer = api.oneshot(payment.body("a payment".into()).unwrap()).await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK, "{client:?}");
        stack.assert_fetches(2);
    }
}

/// The other meaning of ANBIMA's 403: one fetch finds out that no token helps, and that is all.
#[tokio::test]
async fn a_plan_that_does_not_cover_the_route_costs_one_fetch_in_all() {
    for stack in every_stack_of(&[Bank::anbima], |bank| bank).await {
        let (good, forbidden) = (stack.bank.api_url(), stack.bank.forbidden_url());
        stack.source.ready().await.unwrap();
        stack.all_get(20, &forbidden, StatusCode::FORBIDDEN).await;
        stack.all_get(20, &good, StatusCode::OK).await;
        stack.all_get(20, &forbidden, StatusCode::FORBIDDEN).await;
        stack.assert_fetches(2);
    }
}

#[tokio::test]
async fn a_scope_that_is_missing_costs_no_fetch() {
    for stack in every_stack_of(&[Bank::avista, Bank::conta_simples, Bank::bankly], |it| it).await {
        let forbidden = stack.bank.forbidden_url();
        stack.all_get(20, &forbidden, StatusCode::FORBIDDEN).await;
        stack.assert_fetches(1);
        assert_eq!(
            stack.source.status().counters.rejections,
            0,
            "{}",
            stack.case()
        );
        assert_eq!(stack.counters().api_requests, 20, "{}", stack.case());
    }
}

#[tokio::test]
async fn a_scope_that_bankly_does_not_grant_is_a_denial_that_names_it() {
    for client in CLIENTS {
        let stack = Stack::open(Bank::bankly().scopes(["boleto.read"]), client).await;
        let error = stack.error().await.to_string();
        assert!(
            error.contains("invalid_scope (HTTP 400)"),
            "{client:?}: {error}"
        );
        assert_eq!(stack.counters().token_requests, 1);
    }
}

/// Its endpoint for clients that show a certificate, over plain HTTP, where none can be shown.
#[tokio::test]
async fn bankly_without_a_certificate_is_a_denial() {
    for client in CLIENTS {
        let bank = Bank::bankly().start().await.unwrap();
        let id = ClientId::new(bank.client_id()).unwrap();
        let builder = provider::bankly::mtls_sandbox(id).scopes(["boleto.read"]);
        let builder = at(&bank, builder).token_url(bank.mtls_token_url().unwrap());
        let stack = Stack::of(bank, client, builder);
        let error = stack.error().await.to_string();
        assert!(
            error.contains("invalid_client (HTTP 401)"),
            "{client:?}: {error}"
        );
        let error = stack.bank.last_error().unwrap();
        assert!(error.contains("a client certificate"), "{error}");
        assert_eq!(stack.counters().token_requests, 1, "{client:?}");
    }
}

/// No request waits for it, and the old token is used until the new one is there.
#[tokio::test]
async fn a_token_is_refreshed_behind_the_requests() {
    for stack in every_stack().await {
        let url = stack.bank.api_url();
        stack.source.ready().await.unwrap();
        stack.assert_fetches(1);
        stack.clock.step_wall_forward(UNTIL_STALE);
        stack.all_get(20, &url, StatusCode::OK).await;
        stack
            .wait_until(|status| status.generation == Some(2))
            .await;
        stack.all_get(20, &url, StatusCode::OK).await;
        stack.assert_fetches(2);
        let counters = stack.source.status().counters;
        assert_eq!(
            (counters.refreshes_ahead, counters.retries),
            (1, 0),
            "{}",
            stack.case()
        );
    }
}

#[tokio::test]
async fn an_expired_token_is_never_sent() {
    for stack in every_stack().await {
        stack.source.ready().await.unwrap();
        stack.bank.expire_all();
        stack.clock.step_wall_forward(UNTIL_EXPIRED);
        stack
            .all_get(20, &stack.bank.api_url(), StatusCode::OK)
            .await;
        stack.assert_fetches(2);
        assert_eq!(stack.counters().api_unauthorized, 0, "{}", stack.case());
    }
}

/// Where a new token kills the old one, none is fetched ahead, and none is used after its death.
#[tokio::test]
async fn a_single_active_token_is_used_up() {
    for open in BANKS {
        for client in CLIENTS {
            let bank = open().single_active().lifetime(Duration::from_secs(3600));
            let bank = bank.start().await.unwrap();
            let builder = preset(&bank).policy(|policy| policy.refresh.single_active = true);
            let stack = Stack::of(bank, client, builder);
            let url = stack.bank.api_url();
            stack.source.ready().await.unwrap();
            stack.clock.step_wall_forward(UNTIL_STALE);
            stack.all_get(20, &url, StatusCode::OK).await;
            stack.assert_fetches(1);
            stack.clock.step_wall_forward(UNTIL_EXPIRED - UNTIL_STALE);
            stack.all_get(20, &url, StatusCode::OK).await;
            stack.assert_fetches(2);
            assert_eq!(stack.counters().api_ok, 40, "{}", stack.case());
            assert_eq!(stack.counters().api_requests, 40, "{}", stack.case());
        }
    }
}

/// An endpoint behind a cache repeats the revoked token: the rejections are handed on, and no loop begins.
#[tokio::test]
async fn a_revoked_token_that_the_bank_repeats_makes_no_loop() {
    for stack in every_stack_of(&BANKS, |bank| bank.same_token_until_expiry()).await {
        let rejected = match stack.bank.name() {
            "anbima" => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        };
        stack.source.ready().await.unwrap();
        stack.bank.revoke_all();
        stack.all_get(20, &stack.bank.api_url(), rejected).await;
        stack.all_get(20, &stack.bank.api_url(), rejected).await;
        stack.assert_fetches(2);
        assert_eq!(stack.counters().tokens_issued, 1, "{}", stack.case());
    }
}
