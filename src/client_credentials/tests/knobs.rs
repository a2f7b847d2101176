//! What some providers need beyond RFC 6749, each knob alone.

use std::time::Duration;

use super::{answer, ask, builder, id, now, secret, sent, with_header, written};
use crate::{
    ClientId, FailureClass, SecretRef, TokenRequest,
    client_credentials::{
        Blocked, BodyEncoding, ClientCredentialsBuilder, CredentialPlacement, Dialect,
        ExpiryFormat, FailureRow, Grant, ParamValue, ScopeFormat,
    },
    token::FetchCause,
};
use http_body_util::Full;
use tower::{Service, ServiceExt, service_fn};

fn dialect() -> Dialect {
    Dialect::new("bank", "https://login.example/token")
}

const GOOD: &str = r#"{"access_token":"abc","expires_in":300}"#;

#[tokio::test]
async fn numbers_and_booleans_stand_bare_in_json() {
    let mut it = dialect();
    it.body = BodyEncoding::Json;
    it.grant = Grant::Absent;
    it.token_params.insert("dr".into(), ParamValue::Number(10));
    it.token_params
        .insert("never".into(), ParamValue::Bool(false));
    let request = written(sent(builder(it)).await).await;
    assert!(request.ends_with(r#"{"dr":10,"never":false}"#), "{request}");
}

#[tokio::test]
async fn scopes_joined_by_commas_and_media_types_of_ones_own() {
    let mut it = dialect();
    it.scope.format = ScopeFormat::CommaJoined;
    it.accept = Some("*/*".into());
    it.content_type = Some("text/plain".into());
    let request = written(sent(builder(it).scopes(["a", "b"])).await).await;
    assert!(request.contains("accept: */*\n"), "{request}");
    assert!(request.contains("content-type: text/plain\n"), "{request}");
    assert!(request.ends_with("&scope=a%2Cb"), "{request}");
}

#[tokio::test]
async fn credentials_and_answer_in_headers() {
    let mut it = dialect();
    it.credentials = CredentialPlacement::Headers {
        id: "Client-Id".into(),
        secret: "Client-Secret".into(),
    };
    it.body = BodyEncoding::Empty;
    it.grant = Grant::Absent;
    it.response.in_headers = true;
    it.response.token = "set-token".into();
    it.response.expiry = "x-expiry".into();
    it.response.extras = vec!["x-csrf".into()];
    let good = with_header(answer(200, "no JSON"), "set-token", "abc");
    let good = with_header(good, "x-csrf", "c1");
    let good = with_header(good, "x-expiry", "1700000060000");
    let token = ask(builder(it.clone()), good).await.unwrap();
    assert_eq!((token.expose(), token.extra("x-csrf")), ("abc", Some("c1")));
    assert_eq!(token.lifetime(), Some(Duration::from_secs(60)));
    let error = ask(builder(it), answer(200, GOOD)).await.unwrap_err();
    assert!(
        error.to_string().contains("`set-token` is missing"),
        "{error}"
    );
}

#[tokio::test]
async fn a_value_of_the_apis_headers_comes_with_every_token() {
    let builder = builder(dialect()).header_value("api_key", secret("k3y-value"));
    let token = ask(builder, answer(200, GOOD)).await.unwrap();
    assert_eq!(token.extra("api_key"), Some("k3y-value"));
    assert!(!format!("{token:?}").contains("k3y-value"));
}

#[tokio::test]
async fn a_value_of_the_apis_headers_is_read_again_before_each_fetch() {
    let name = format!("tower-oauth-{}-header-value", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, "first-key-1\n").unwrap();
    let builder = builder(dialect()).header_value("api_key", SecretRef::File(file.clone()));
    let transport = service_fn(move |_: http::Request<Full<bytes::Bytes>>| {
        // It says both keys, which an error must not.
        let body = r#"{"error":"x","error_description":"first-key-1 second-key-2"}"#;
        let body = if file.exists() { GOOD } else { body };
        let status = if file.exists() { 200 } else { 400 };
        let (path, answer) = (file.clone(), answer(status, body));
        async move {
            // The key changes after this request, and is then gone.
            match std::fs::read_to_string(&path) {
                Ok(key) if key.starts_with("first") => {
                    std::fs::write(&path, "second-key-2\n").unwrap();
                }
                Ok(_) => std::fs::remove_file(&path).unwrap(),
                Err(_) => {}
            }
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let mut fetcher = builder.fetcher(transport).unwrap();
    for key in ["first-key-1", "second-key-2"] {
        let token = fetcher.call(TokenRequest::first(now())).await.unwrap();
        assert_eq!(token.extra("api_key"), Some(key));
    }
    let error = fetcher.call(TokenRequest::first(now())).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("HTTP 400"), "{error}");
    assert!(
        !error.contains("key-1") && !error.contains("key-2"),
        "{error}"
    );
}

#[tokio::test]
async fn another_name_of_a_member_is_tried_after_the_first() {
    let mut it = dialect();
    it.response.other_token = vec!["AcessToken".into()];
    it.response.other_expiry = vec!["ExpiresIn".into()];
    let other = answer(200, r#"{"AcessToken":"b","ExpiresIn":"60"}"#);
    let token = ask(builder(it.clone()), other).await.unwrap();
    assert_eq!(
        (token.expose(), token.lifetime()),
        ("b", Some(Duration::from_secs(60)))
    );
    let both = answer(200, r#"{"AcessToken":"b","access_token":"a"}"#);
    assert_eq!(ask(builder(it.clone()), both).await.unwrap().expose(), "a");
    let over = answer(200, r#"{"AcessToken":"b","ExpiresIn":0}"#);
    let error = ask(builder(it), over).await.unwrap_err().to_string();
    assert!(error.contains("`ExpiresIn` is not above zero"), "{error}");
}

#[tokio::test]
async fn the_tokens_own_claim_says_when_it_ends() {
    let mut it = dialect();
    it.response.expiry_format = ExpiryFormat::Jwt;
    // {"exp":1700000060}
    let good = r#"{"access_token":"e30.eyJleHAiOjE3MDAwMDAwNjB9.c2ln","expires_in":9}"#;
    let token = ask(builder(it.clone()), answer(200, good)).await.unwrap();
    assert_eq!(token.lifetime(), Some(Duration::from_secs(60)));
    let opaque = ask(builder(it), answer(200, GOOD)).await.unwrap();
    assert_eq!(opaque.lifetime(), None);
}

#[tokio::test]
async fn a_status_that_blocks_is_waited_out() {
    let mut it = dialect();
    it.blocked = Some(Blocked::new([302, 403], Duration::from_secs(900)));
    for status in [302, 403] {
        let error = ask(builder(it.clone()), answer(status, ""))
            .await
            .unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(900)));
        assert!(error.to_string().contains("blocks this client"), "{error}");
    }
    let asked = with_header(answer(403, ""), "retry-after", "60");
    let error = ask(builder(it), asked).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn a_denial_may_be_false_in_the_first_attempts_only() {
    let mut it = dialect();
    let row = FailureRow::new(401, FailureClass::Transient).with_error("invalid_client");
    it.failures = vec![row.with_attempts(1)];
    let denied = answer(401, r#"{"error":"invalid_client"}"#);
    let transport = service_fn(move |_: http::Request<Full<bytes::Bytes>>| {
        let denied = denied.clone();
        async { Ok::<_, std::convert::Infallible>(denied) }
    });
    let mut classes = Vec::new();
    for attempt in [1, 2].map(|it| TokenRequest::new(it, FetchCause::Missing, now())) {
        let fetcher = builder(it.clone()).fetcher(transport.clone()).unwrap();
        classes.push(fetcher.oneshot(attempt).await.unwrap_err().class());
    }
    assert_eq!(classes, [FailureClass::Transient, FailureClass::Permanent]);
}

#[tokio::test]
async fn without_a_code_an_mtls_endpoint_may_mean_the_certificate() {
    let mut it = dialect();
    it.client_certificate = true;
    for status in [401, 403] {
        let error = ask(builder(it.clone()), answer(status, "{}"))
            .await
            .unwrap_err();
        let advice = error.advice().unwrap();
        assert!(
            advice.starts_with("Check the client certificate first"),
            "{advice}"
        );
    }
    let coded = answer(401, r#"{"error":"invalid_client"}"#);
    let error = ask(builder(it), coded).await.unwrap_err();
    assert!(!error.advice().unwrap().contains("certificate"));
}

#[test]
fn an_interval_between_token_requests_spaces_attempts_and_back_offs() {
    let mut it = dialect();
    it.min_fetch_interval = Some(Duration::from_secs(60));
    let me: ClientId = id("me");
    let mut seen = None;
    let _ = ClientCredentialsBuilder::new(it, me).policy(|policy| seen = Some(policy.clone()));
    let policy = seen.unwrap();
    let minute = Duration::from_secs(60);
    assert_eq!(policy.check(), Ok(()));
    assert_eq!(policy.retry.attempts, 1);
    assert_eq!(policy.back_off.min_fetch_interval, minute);
    for back_off in [
        policy.back_off.transient,
        policy.back_off.unclear,
        policy.back_off.permanent,
    ] {
        assert!(back_off.first >= minute && back_off.max >= back_off.first);
    }
}

#[tokio::test]
async fn a_path_leads_into_nested_objects() {
    let mut it = dialect();
    it.response.token = "data.auth.token".into();
    it.response.expiry = "data.ttl".into();
    it.response.error = "fault.code".into();
    let nested = answer(200, r#"{"data":{"auth":{"token":"abc"},"ttl":60}}"#);
    let token = ask(builder(it.clone()), nested).await.unwrap();
    assert_eq!(
        (token.expose(), token.lifetime()),
        ("abc", Some(Duration::from_secs(60)))
    );
    // A member of that whole name comes first.
    let whole = answer(
        200,
        r#"{"data.auth.token":"whole","data":{"auth":{"token":"abc"}}}"#,
    );
    assert_eq!(
        ask(builder(it.clone()), whole).await.unwrap().expose(),
        "whole"
    );
    let broken = answer(200, r#"{"data":{"auth":"abc"}}"#);
    let error = ask(builder(it.clone()), broken).await.unwrap_err();
    assert!(
        error.to_string().contains("`data.auth.token` is missing"),
        "{error}"
    );
    let denied = answer(400, r#"{"fault":{"code":"invalid_client"}}"#);
    let error = ask(builder(it), denied).await.unwrap_err();
    assert_eq!(error.code(), Some("invalid_client"));
}

#[tokio::test]
async fn a_record_shows_no_token_that_a_header_brings() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let record = std::sync::Arc::clone(&seen);
    let mut it = dialect();
    it.response.in_headers = true;
    it.response.token = "x-first".into();
    it.response.extras = vec!["x-second".into()];
    let good = with_header(answer(200, ""), "x-first", "qwertyuiop-1");
    let good = with_header(good, "x-second", "asdfghjkl-2");
    let builder = builder(it)
        .header_value("key", secret("zxcvbnm-345"))
        .on_attempt(move |attempt| record.lock().unwrap().push_str(&attempt.to_string()));
    ask(builder, good).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.contains("x-first"), "{seen}");
    for secret in ["qwertyuiop-1", "asdfghjkl-2", "zxcvbnm-345"] {
        assert!(!seen.contains(secret), "{seen}");
    }
}
