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
    for (body, message) in [
        (
            "<html>".into(),
            "the answer is HTML or XML; check the token URL",
        ),
        ("access_token=abc".into(), "the answer is not JSON"),
        ("\u{0}".into(), "the answer is not JSON"),
        (
            r#"{"access_token":"abc"}{}"#.into(),
            "the answer is not JSON",
        ),
        (r#"{"access_token":abc"}"#.into(), "the answer is not JSON"),
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
            token(json!("a\u{feff}")),
            "the answer's `access_token` holds bytes that no header may hold",
        ),
    ] {
        let error = error(&body).await;
        assert_eq!(error.to_string(), format!("{message} (HTTP 200)"), "{body}");
        assert_eq!(error.kind(), FetchErrorKind::Malformed, "{body}");
        assert_eq!(error.class(), FailureClass::Unclear, "{body}");
    }
}

/// The server may have been interrupted: it is asked again in the same fetch.
#[tokio::test]
async fn what_ends_too_early_passes() {
    for (body, message) in [
        ("", "the answer is empty"),
        (" \r\n", "the answer is empty"),
        ("\u{feff}", "the answer is empty"),
        ("{", "the answer breaks off"),
        (r#"{"access_token":"ab"#, "the answer breaks off"),
        (
            r#"{"access_token":"abc","expires_in":36"#,
            "the answer breaks off",
        ),
        ("[[[[[", "the answer breaks off"),
        (r#""ab"#, "the answer breaks off"),
    ] {
        let error = error(body).await;
        assert_eq!(error.to_string(), format!("{message} (HTTP 200)"), "{body}");
        assert_eq!(error.kind(), FetchErrorKind::Malformed, "{body}");
        assert!(error.may_retry_within_fetch(), "{body}");
    }
}

#[tokio::test]
async fn a_life_that_is_stated_to_be_over_is_an_error_with_a_way_out() {
    for (stated, message) in [
        ("0", "is not above zero"),
        ("-3600", "is not above zero"),
        (r#""-1""#, "is not above zero"),
        ("1600000000", "has already passed"),
        (r#""2020-01-01T00:00:00Z""#, "has already passed"),
        (r#""0001-01-01T00:00:00Z""#, "has already passed"),
        ("1e-30", "has already passed"),
    ] {
        let body = format!(r#"{{"access_token":"abc","expires_in":{stated}}}"#);
        let error = error(&body).await;
        let message = format!("the answer's `expires_in` {message}; if the server means");
        assert!(error.to_string().starts_with(&message), "{stated}: {error}");
        assert!(
            error.to_string().contains("`response.expiry_format`"),
            "{error}"
        );
        assert!(error.is_without_life(), "{stated}");
        assert_eq!(error.kind(), FetchErrorKind::Malformed, "{stated}");
        assert_eq!(error.class(), FailureClass::Unclear, "{stated}");

        // The way out.
        let mut dialect = Dialect::new("never", "https://login.example/token");
        dialect.response.expiry_format = ExpiryFormat::Ignored;
        dialect.default_lifetime = Some(Duration::from_secs(1800));
        let token = ask(builder(dialect), answer(200, &body)).await.unwrap();
        let expected = crate::token::Life::For(Duration::from_secs(1800));
        assert_eq!(token.life(), expected, "{stated}");
    }
    assert!(!error("{}").await.is_without_life());
}

#[tokio::test]
async fn a_token_that_needs_a_proof_is_not_sent_as_it_is() {
    for stated in ["DPoP", "dpop", "MAC", "mac", "PoP", " DPoP "] {
        let body = json!({"access_token": "abc", "token_type": stated}).to_string();
        let error = error(&body).await;
        let kind = stated.trim().to_ascii_lowercase();
        let message = format!("the answer's `token_type` is `{kind}`: such a token needs a proof");
        assert!(error.to_string().starts_with(&message), "{stated}: {error}");
        assert_eq!(error.kind(), FetchErrorKind::Malformed, "{stated}");
        assert_eq!(error.class(), FailureClass::Permanent, "{stated}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_no_token() {
    let bytes = Response::new(Full::from(&b"{\"access_token\":\"\xff\"}"[..]));
    let error = ask(plain(), bytes).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer's `access_token` holds bytes that no header may hold (HTTP 200)"
    );
}

#[tokio::test]
async fn a_missing_extra_is_named() {
    let mut dialect = Dialect::new("serpro", "https://login.example/token");
    dialect.response.extras = vec!["jwt_token".into()];
    let answer = answer(200, r#"{"access_token":"abc"}"#);
    let error = ask(builder(dialect), answer).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer's `jwt_token` is missing (HTTP 200)"
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
    for body in ["\u{1f}\u{8}\0abc", "x\u{1}abc"] {
        let compressed = with_header(answer(200, body), "content-encoding", "gzip");
        let error = ask(plain(), compressed).await.unwrap_err();
        assert_eq!(error.kind(), FetchErrorKind::Malformed);
        assert_eq!(error.class(), FailureClass::Unclear);
        assert!(error.to_string().contains("compressed"), "{error}");
    }
}

#[tokio::test]
async fn no_error_repeats_the_answer() {
    for body in [
        r#"{"access_token":"t0k3n\nx"}"#,
        r#"{"access_token":"abc","expires_in":0,"t0k3n":"t0k3n"}"#,
        r#"{"access_token":"abc","token_type":"mac","t0k3n":"t0k3n"}"#,
        r#""t0k3n""#,
        r#"{"access_token":"t0k3n"#,
        r#"<p>t0k3n</p>"#,
    ] {
        let error = error(body).await;
        assert!(!format!("{error} {error:?}").contains("t0k3n"), "{body}");
    }
}
