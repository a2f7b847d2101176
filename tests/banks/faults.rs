use std::{io::ErrorKind, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use tower_oauth::{
    BoxError,
    testing::{Bank, Fault},
};

use crate::wire::{all_banks, api_status, io_kind, json as json_of, send, token, token_request};

/// The answer to a documented token request that met the fault.
async fn answer_with(fault: Fault) -> Result<Response<Bytes>, BoxError> {
    let bank = Bank::avista().start().await.unwrap();
    bank.token_faults([fault]);
    let result = send(token_request(&bank)).await;
    let counters = bank.counters();
    assert_eq!((counters.token_requests, counters.token_faults), (1, 1));
    result
}

#[tokio::test]
async fn any_status_with_any_body() {
    let bare = answer_with(Fault::status(StatusCode::SERVICE_UNAVAILABLE))
        .await
        .unwrap();
    assert_eq!(bare.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(bare.body().is_empty());

    let limited = Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "120");
    let limited = answer_with(limited).await.unwrap();
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.headers()[header::RETRY_AFTER], "120");

    let denied = Fault::oauth_error(StatusCode::BAD_REQUEST, "invalid_client");
    let denied = answer_with(denied).await.unwrap();
    assert_eq!(denied.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json_of(&denied), json!({ "error": "invalid_client" }));

    let body = answer_with(Fault::answer(StatusCode::OK, "not JSON"))
        .await
        .unwrap();
    assert_eq!(body.body(), "not JSON");

    let page = answer_with(Fault::html()).await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(
        page.headers()[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    assert!(page.body().starts_with(b"<!doctype html>"));
}

#[tokio::test]
async fn an_answer_in_place_of_the_banks_issues_nothing() {
    let bank = Bank::avista().start().await.unwrap();
    bank.token_faults([Fault::status(StatusCode::OK), Fault::Reset]);
    let empty = send(token_request(&bank)).await.unwrap();
    assert!(empty.body().is_empty());
    send(token_request(&bank)).await.unwrap_err();
    assert_eq!(bank.counters().tokens_issued, 0);
}

#[tokio::test]
async fn members_of_a_good_answer_can_be_anything() {
    let odd = answer_with(Fault::expires_in("-7")).await.unwrap();
    assert_eq!(json_of(&odd)["expires_in"], -7);
    assert!(json_of(&odd)["access_token"].is_string());
    let raw = answer_with(Fault::expires_in("1e400")).await.unwrap();
    assert!(raw.body().windows(5).any(|bytes| bytes == b"1e400"));
    let absent = answer_with(Fault::Without("expires_in".into()))
        .await
        .unwrap();
    assert_eq!(json_of(&absent).get("expires_in"), None);
    for text in ["\"\"", "42", "null", r#"["a"]"#] {
        let answer = answer_with(Fault::access_token(text)).await.unwrap();
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(json_of(&answer)["access_token"], expected);
    }
    let both = answer_with(Fault::error_in_good_answer("invalid_client"))
        .await
        .unwrap();
    assert_eq!(both.status(), StatusCode::OK);
    assert_eq!(json_of(&both)["error"], "invalid_client");
    assert!(json_of(&both)["access_token"].is_string());
}

#[tokio::test]
async fn oversized_is_more_than_64_kib_of_good_json() {
    let answer = answer_with(Fault::oversized()).await.unwrap();
    assert!(answer.body().len() > 64 * 1024);
    assert!(json_of(&answer)["access_token"].is_string());
}

#[tokio::test]
async fn truncated_is_a_whole_response_of_half_a_document() {
    let answer = answer_with(Fault::Truncated).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.body().starts_with(b"{\"access_token\":\"eyJ"));
    assert!(serde_json::from_slice::<Value>(answer.body()).is_err());
}

#[tokio::test]
async fn cut_off_is_half_of_the_body_that_the_head_announced() {
    let bank = Bank::avista().start().await.unwrap();
    bank.token_faults([Fault::CutOff]);
    let address = bank.api_origin().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let credentials = r#"{"clientId":"avista-client","clientSecret":"avista-client-secret"}"#;
    let request = format!(
        "POST /oauth/token HTTP/1.1\r\nhost: a\r\naccept: application/json\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{credentials}",
        credentials.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();

    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let (_, rest) = head.split_once("content-length: ").unwrap();
    let announced: usize = rest.lines().next().unwrap().parse().unwrap();
    assert_eq!(body.len(), announced / 2);
    assert!(body.starts_with("{\"access_token\":\"eyJ"));
}

#[tokio::test]
async fn a_client_sees_a_cut_off_as_an_early_end() {
    let error = answer_with(Fault::CutOff).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn reset_is_a_reset() {
    let error = answer_with(Fault::Reset).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_request_that_hangs_hangs_until_the_bank_is_gone() {
    let bank = Bank::avista().start().await.unwrap();
    bank.token_faults([Fault::Hang]);
    let hanging = tokio::spawn(send(token_request(&bank)));
    bank.wait_for(|counters| counters.token_requests == 1).await;
    token(&bank).await;
    assert!(!hanging.is_finished());
    drop(bank);
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_delayed_answer_is_late_and_good() {
    let asked = Instant::now();
    let answer = answer_with(Fault::Delay(Duration::from_secs(30)))
        .await
        .unwrap();
    assert!(json_of(&answer)["access_token"].is_string());
    assert_eq!(asked.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_dripping_answer_comes_byte_by_byte() {
    let asked = Instant::now();
    let answer = answer_with(Fault::Drip(Duration::from_secs(1)))
        .await
        .unwrap();
    assert!(json_of(&answer)["access_token"].is_string());
    let gaps = answer.body().len() as u64 - 1;
    assert!((gaps..=gaps + 1).contains(&asked.elapsed().as_secs()));
}

#[tokio::test]
async fn a_redirect_has_the_given_target() {
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        let fault = Fault::redirect(status, "http://127.0.0.1:9/x");
        let answer = answer_with(fault).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()[header::LOCATION], "http://127.0.0.1:9/x");
    }
}

#[tokio::test]
async fn queued_faults_come_first_and_standing_ones_until_healed() {
    let bank = Bank::conta_simples().start().await.unwrap();
    bank.token_fault_always(Fault::status(StatusCode::BAD_GATEWAY));
    bank.token_faults([
        Fault::status(StatusCode::TOO_MANY_REQUESTS),
        Fault::status(StatusCode::GATEWAY_TIMEOUT),
    ]);
    for expected in [429, 504, 502, 502] {
        let answer = send(token_request(&bank)).await.unwrap();
        assert_eq!(answer.status(), expected);
    }
    bank.heal();
    assert_eq!(send(token_request(&bank)).await.unwrap().status(), 200);
    assert_eq!(bank.counters().token_faults, 4);
}

#[tokio::test]
async fn faults_of_the_api_leave_the_token_endpoint_alone() {
    for bank in all_banks().await {
        bank.api_fault_always(Fault::status(StatusCode::INTERNAL_SERVER_ERROR));
        bank.api_faults([Fault::status(StatusCode::UNAUTHORIZED)]);
        let token = token(&bank).await;
        assert_eq!(api_status(&bank, &token).await, StatusCode::UNAUTHORIZED);
        assert_eq!(
            api_status(&bank, &token).await,
            StatusCode::INTERNAL_SERVER_ERROR
        );
        bank.heal();
        assert_eq!(api_status(&bank, &token).await, StatusCode::OK);
        let counters = bank.counters();
        assert_eq!((counters.api_faults, counters.api_ok), (2, 1));
        assert_eq!((counters.api_unauthorized, counters.token_faults), (0, 0));
    }
}
