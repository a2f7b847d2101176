//! Whatever a token endpoint answers becomes a token that the answer holds, or an error that quotes none of it.
#![no_main]

use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tower_oauth::{IssuedToken, client_credentials::Dialect};
use tower_oauth_fuzz::{Answer, answer, check_error, client, from_now, run, source};

const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

fuzz_target!(|text: &[u8]| -> Corpus {
    let Some(answer) = answer(text) else {
        return Corpus::Reject;
    };
    run(check(answer));
    Corpus::Keep
});

async fn check(answer: Answer) {
    let dialect = Dialect::new("fuzz", "https://login.example/token");
    let source = source(client(dialect), answer.clone());
    let members = members(&answer).await;
    match source.token().await {
        Ok(token) => check_token(&token, &answer, members.as_ref()),
        Err(error) => {
            check_error(&error, &source);
            assert!(!must_be_a_token(&answer, members.as_ref()), "{error}");
        }
    }
}

fn check_token(token: &IssuedToken, answer: &Answer, members: Option<&Value>) {
    assert!(answer.status().is_success());
    let text = token.expose_token();
    assert!(is_fit_for_a_header(text));
    // What is no JSON may hold a token all the same, if its own members can be read.
    if let Some(members) = members {
        assert!(members.get("error").is_none_or(is_empty));
        assert_eq!(members["access_token"].as_str().unwrap().trim(), text);
        assert!(!needs_a_proof(members));
    }

    let (name, value) = token.headers().next().unwrap();
    assert_eq!(name, "authorization");
    assert_eq!(value, &format!("Bearer {text}"));
    assert!(value.is_sensitive());

    let life = from_now(token.expires_at());
    assert!(
        !life.is_zero() && life <= LONGEST_LIFE,
        "lives for {life:?}"
    );
    let stated = members.and_then(|it| it.get("expires_in")?.as_u64());
    if let Some(seconds @ 1..=86_400) = stated {
        assert_eq!(life, Duration::from_secs(seconds));
    }
}

/// The answers that RFC 6749 calls good, and that nothing speaks against.
fn must_be_a_token(answer: &Answer, members: Option<&Value>) -> bool {
    let Some(members) = members else { return false };
    answer.status().is_success()
        && answer.status() != StatusCode::NO_CONTENT
        && members.get("error").is_none_or(is_empty)
        && !needs_a_proof(members)
        && members.get("expires_in").is_none_or(|it| {
            it.is_null() || it.is_boolean() || matches!(it.as_u64(), Some(1..1_000_000_000))
        })
        && members
            .get("access_token")
            .and_then(Value::as_str)
            .is_some_and(|text| is_fit_for_a_header(text.trim()))
}

fn is_empty(error: &Value) -> bool {
    match error {
        Value::Null => true,
        Value::Bool(is_error) => !is_error,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

fn needs_a_proof(members: &Value) -> bool {
    let stated = members.get("token_type").and_then(Value::as_str);
    let stated = stated.unwrap_or_default().trim().to_ascii_lowercase();
    ["dpop", "mac", "pop"].contains(&stated.as_str())
}

fn is_fit_for_a_header(text: &str) -> bool {
    !text.trim().is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

async fn members(answer: &Answer) -> Option<Value> {
    let body = answer
        .clone()
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let short_enough = body.len() <= 64 * 1024;
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
    let members: Value = serde_json::from_slice(text).ok()?;
    (short_enough && members.is_object()).then_some(members)
}
