//! Answers that claim success and are no tokens: each gives a typed error that names what was wrong.

use serde_json::{Value, json};

use super::*;
use crate::{FailureClass, FetchErrorKind, client_credentials::ExpiryFormat};

async fn error(body: &str) -> FetchError {
    ask(plain(), answer(200, body)).await.unwrap_err()
}

#[tokio::test]
async fn what_is_no_token_says_why() {
    let token = |token: Value| json!({"access_token": token}).to_string();
    let expires = |it: Value| json!({"access_token": "abc", "expires_in": it}).to_string();
    for (body, message) in [
        ("".into(), "the answer is empty"),
        (" \r\n".into(), "the answer is empty"),
        (
            "<html>".into(),
            "the answer is HTML or XML; check the token URL",
        ),
        (r#"{"access_token":"ab"#.into(), "the answer breaks off"),
        ("access_token=abc".into(), "the answer is not JSON"),
        ("\u{0}".into(), "the answer is not JSON"),
        ("[".repeat(1000), "the answer is not JSON"),
        (r#"["abc"]"#.into(), "the answer is JSON, but no object"),
        (r#""abc""#.into(), "the answer is JSON, but no object"),
        ("{}".into(), "the answer's `access_token` is missing"),
        (token(json!("")), "the answer's `access_token` is empty"),
        (token(json!("  ")), "the answer's `access_token` is empty"),
        (
            token(json!(null)),
            "the answer's `access_token` is not a string",
        ),
        (
            token(json!(5)),
            "the answer's `access_token` is not a string",
        ),
        (
            token(json!(["abc"])),
            "the answer's `access_token` is not a string",
        ),
        (
            token(json!("a\r\nb")),
            "the answer's `access_token` holds bytes that no header may hold",
        ),
        (
            token(json!("a\nb")),
            "the answer's `access_token` holds bytes that no header may hold",
        ),
        (
            token(json!("ü")),
            "the answer's `access_token` holds bytes that no header may hold",
        ),
        (
            expires(json!(0)),
            "the answer's `expires_in` is not above zero",
        ),
        (
            expires(json!(-3600)),
            "the answer's `expires_in` is not above zero",
        ),
        (
            expires(json!("x")),
            "the answer's `expires_in` is no known form of expiry",
        ),
        (
            expires(json!(true)),
            "the answer's `expires_in` is no known form of expiry",
        ),
        (
            expires(json!(1_600_000_000)),
            "the answer's `expires_in` has already passed",
        ),
        (
            expires(json!("2020-01-01T00:00:00Z")),
            "the answer's `expires_in` has already passed",
        ),
        (
            expires(json!(1e-30)),
            "the answer's `expires_in` has already passed",
        ),
    ] {
        let error = error(&body).await;
        assert_eq!(error.to_string(), format!("{message} (HTTP 200)"), "{body}");
        assert_eq!(error.kind(), FetchErrorKind::Malformed, "{body}");
        assert_eq!(error.class(), FailureClass::Unclear, "{body}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_no_json() {
    let bytes = Response::new(Full::from(&b"{\"access_token\":\"\xff\"}"[..]));
    let error = ask(plain(), bytes).await.unwrap_err();
    assert_eq!(error.to_string(), "the answer is not JSON (HTTP 200)");
}

#[tokio::test]
async fn a_missing_secondary_is_named() {
    let mut dialect = Dialect::new("serpro", "https://login.example/token");
    dialect.response.secondaries = vec!["jwt_token".into()];
    let answer = answer(200, r#"{"access_token":"abc"}"#);
    let error = ask(builder(dialect), answer).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer's `jwt_token` is missing (HTTP 200)"
    );
}

#[tokio::test]
async fn a_time_stamp_where_seconds_are_documented_is_an_error() {
    let mut dialect = Dialect::new("strict", "https://login.example/token");
    dialect.response.expiry_format = ExpiryFormat::Seconds;
    let body = r#"{"access_token":"abc","expires_in":"2033-01-01T00:00:00Z"}"#;
    let error = ask(builder(dialect), answer(200, body)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer's `expires_in` is not a number (HTTP 200)"
    );
}

#[tokio::test]
async fn an_answer_has_a_longest_length() {
    let padded = |length: usize| {
        let (head, tail) = (r#"{"access_token":"abc","pad":""#, r#""}"#);
        [head, &"x".repeat(length - head.len() - tail.len()), tail].concat()
    };
    assert!(ask(plain(), answer(200, &padded(65_536))).await.is_ok());
    assert_eq!(
        error(&padded(65_537)).await.to_string(),
        "the answer is longer than 64 KiB (HTTP 200)"
    );
}

#[tokio::test]
async fn a_compressed_answer_is_not_read() {
    let body = r#"{"access_token":"abc"}"#;
    let compressed = with_header(answer(200, body), "content-encoding", "gzip");
    let error = ask(plain(), compressed).await.unwrap_err();
    assert_eq!(error.kind(), FetchErrorKind::Malformed);
    assert!(error.to_string().contains("compressed"), "{error}");

    let as_it_is = with_header(answer(200, body), "content-encoding", "Identity");
    assert!(ask(plain(), as_it_is).await.is_ok());
}

#[tokio::test]
async fn no_error_repeats_the_answer() {
    for body in [
        r#"{"access_token":"t0k3n\n"}"#,
        r#"{"access_token":"abc","expires_in":"t0k3n"}"#,
        r#""t0k3n""#,
        r#"{"access_token":"t0k3n"#,
        r#"<p>t0k3n</p>"#,
    ] {
        let error = error(body).await;
        assert!(!format!("{error} {error:?}").contains("t0k3n"), "{body}");
    }
}
