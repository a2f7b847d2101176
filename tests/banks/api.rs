use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use tokio::time::advance;
use tower_oauth::testing::Bank;

use crate::wire::{all_banks, api_request, api_status, json, send, token};

#[tokio::test]
async fn a_valid_token_gets_an_echo_with_any_method() {
    for bank in all_banks().await {
        let token = token(&bank).await;
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
            let mut request = api_request(&bank, &format!("{}/abc?x=1", bank.api_url()), &token);
            *request.method_mut() = method.clone();
            *request.body_mut() = Full::from("{\"valor\":\"1.00\"}");
            let response = send(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{}", bank.name());
            let echo = json(&response);
            assert_eq!(echo["method"], method.as_str());
            assert!(echo["path"].as_str().unwrap().ends_with("/abc?x=1"));
            assert_eq!(echo["length"], 16);
            assert_eq!(echo["body"], "{\"valor\":\"1.00\"}");
        }
        let counters = bank.counters();
        assert_eq!((counters.api_requests, counters.api_ok), (4, 4));
    }
}

#[tokio::test]
async fn a_missing_unknown_or_altered_token_is_a_401() {
    for bank in all_banks().await {
        let mut altered = token(&bank).await;
        altered.push('x');
        let mut bare = api_request(&bank, &bank.api_url(), "any");
        bare.headers_mut().clear();
        assert_eq!(api_status(&bank, &altered).await, StatusCode::UNAUTHORIZED);
        assert_eq!(api_status(&bank, "unknown").await, StatusCode::UNAUTHORIZED);
        let response = send(bare).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenged = response.headers().contains_key(header::WWW_AUTHENTICATE);
        assert_eq!(challenged, bank.name() != "anbima");
        assert_eq!(bank.counters().api_unauthorized, 3);
    }
}

#[tokio::test]
async fn the_token_must_travel_as_the_document_says() {
    for bank in all_banks().await {
        let token = token(&bank).await;
        let bearer = format!("Bearer {token}");
        let wrong: [&[(&str, &str)]; 4] = [
            &[("authorization", &token)],
            &[("access_token", &token)],
            &[("client_id", "someone else"), ("access_token", &token)],
            &[
                ("client_id", bank.client_id()),
                ("access_token", &token),
                ("authorization", &format!("bearer {token}")),
            ],
        ];
        for headers in wrong {
            let mut request = api_request(&bank, &bank.api_url(), &token);
            request.headers_mut().clear();
            for (name, value) in headers {
                let name: HeaderName = name.parse().unwrap();
                request.headers_mut().insert(name, value.parse().unwrap());
            }
            let status = send(request).await.unwrap().status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{}", bank.name());
        }
        let mut twice = api_request(&bank, &bank.api_url(), &token);
        for name in ["authorization", "client_id", "access_token"] {
            let value = HeaderValue::try_from(&bearer).unwrap();
            twice.headers_mut().append(name, value.clone());
            twice.headers_mut().append(name, value);
        }
        assert!(!send(twice).await.unwrap().status().is_success());
        assert_eq!(bank.counters().api_ok, 0);
    }
}

#[tokio::test]
async fn a_revoked_token_is_a_401_and_at_anbima_a_403() {
    for bank in all_banks().await {
        let old = token(&bank).await;
        assert_eq!(api_status(&bank, &old).await, StatusCode::OK);
        bank.revoke_all();
        let expected = match bank.name() {
            "anbima" => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        };
        assert_eq!(api_status(&bank, &old).await, expected, "{}", bank.name());
        assert!(bank.last_error().unwrap().contains("revoked"));
        let new = token(&bank).await;
        assert_eq!(api_status(&bank, &new).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn anbimas_two_403s_look_the_same() {
    let bank = Bank::anbima().start().await.unwrap();
    let token = token(&bank).await;
    let plan = send(api_request(&bank, &bank.forbidden_url(), &token))
        .await
        .unwrap();
    assert!(bank.last_error().unwrap().contains("plan"));
    bank.revoke_all();
    let revoked = send(api_request(&bank, &bank.api_url(), &token))
        .await
        .unwrap();
    for response in [&plan, &revoked] {
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert!(!response.headers().contains_key(header::WWW_AUTHENTICATE));
    }
    assert_eq!(plan.body(), revoked.body());
}

#[tokio::test]
async fn a_scope_that_lacks_is_a_403_with_a_challenge() {
    for bank in &all_banks().await[1..] {
        let token = token(bank).await;
        let request = api_request(bank, &bank.forbidden_url(), &token);
        let response = send(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let challenge = &response.headers()[header::WWW_AUTHENTICATE];
        assert_eq!(challenge, r#"Bearer error="insufficient_scope""#);
        assert_eq!(bank.counters().api_forbidden, 1);
    }
}

#[tokio::test]
async fn a_scope_that_was_given_opens_its_route() {
    let bank = Bank::avista()
        .scopes(["webhook:write"])
        .start()
        .await
        .unwrap();
    let token = token(&bank).await;
    let request = api_request(&bank, &bank.forbidden_url(), &token);
    assert_eq!(send(request).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_dies_at_the_end_of_its_life_and_not_before() {
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let elapsed = std::sync::Arc::new(std::sync::Mutex::new(Duration::ZERO));
    let clock = std::sync::Arc::clone(&elapsed);
    let bank = Bank::avista()
        .lifetime(Duration::from_secs(300))
        .clock(move || start + *clock.lock().unwrap())
        .start()
        .await
        .unwrap();
    let token = token(&bank).await;
    *elapsed.lock().unwrap() = Duration::from_nanos(299_999_999_999);
    assert_eq!(api_status(&bank, &token).await, StatusCode::OK);
    *elapsed.lock().unwrap() = Duration::from_secs(300);
    assert_eq!(api_status(&bank, &token).await, StatusCode::UNAUTHORIZED);
    assert!(bank.last_error().unwrap().contains("expired"));
}

#[tokio::test(start_paused = true)]
async fn by_default_tokens_follow_a_paused_clock() {
    let bank = Bank::anbima()
        .lifetime(Duration::from_secs(60))
        .start()
        .await
        .unwrap();
    let token = token(&bank).await;
    advance(Duration::from_secs(60)).await;
    assert_eq!(api_status(&bank, &token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn tokens_expire_on_demand_and_by_a_new_lifetime() {
    for bank in all_banks().await {
        let old = token(&bank).await;
        bank.expire_all();
        assert_eq!(api_status(&bank, &old).await, StatusCode::UNAUTHORIZED);
        bank.set_lifetime(Duration::ZERO);
        let stillborn = token(&bank).await;
        assert_eq!(
            api_status(&bank, &stillborn).await,
            StatusCode::UNAUTHORIZED
        );
        bank.set_lifetime(Duration::MAX);
        let endless = token(&bank).await;
        assert_eq!(api_status(&bank, &endless).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_new_token_kills_the_older_ones_only_where_one_is_active() {
    for (builder, expected) in [
        (Bank::avista(), StatusCode::OK),
        (Bank::avista().single_active(), StatusCode::UNAUTHORIZED),
    ] {
        let bank = builder.start().await.unwrap();
        let (old, new) = (token(&bank).await, token(&bank).await);
        assert_ne!(old, new);
        assert_eq!(api_status(&bank, &old).await, expected);
        assert_eq!(api_status(&bank, &new).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_same_token_comes_until_it_expires() {
    let bank = Bank::avista()
        .same_token_until_expiry()
        .start()
        .await
        .unwrap();
    let first = token(&bank).await;
    bank.revoke_all();
    assert_eq!(token(&bank).await, first);
    assert_eq!(bank.counters().tokens_issued, 1);
    bank.expire_all();
    assert_ne!(token(&bank).await, first);
    assert_eq!(bank.counters().tokens_issued, 2);
}

#[tokio::test]
async fn an_added_route_is_served_and_no_other() {
    let bank = Bank::avista().route("/pix").start().await.unwrap();
    let token = token(&bank).await;
    for (path, expected) in [("/pix", 200), ("/pix/1", 200), ("/pixels", 404), ("/", 404)] {
        let request = api_request(&bank, &bank.url(path), &token);
        assert_eq!(send(request).await.unwrap().status(), expected, "{path}");
    }
    assert_eq!(bank.counters().not_found, 2);
}
