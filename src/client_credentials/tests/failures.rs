//! Answers that are failures, and transports that fail.

use std::io;

use super::*;
use crate::{Clock, FailureClass, client_credentials::FailureRow, error::FetchErrorKind};

async fn failure(answer: Response<Full<Bytes>>) -> FetchError {
    ask(plain(), answer).await.unwrap_err()
}

#[tokio::test]
async fn a_failure_has_the_class_of_its_code_and_status() {
    use FailureClass::*;
    for (status, body, class, shown) in [
        (
            400,
            r#"{"error":"invalid_client"}"#,
            Permanent,
            ": invalid_client (HTTP 400)",
        ),
        (
            401,
            r#"{"error":"invalid_client"}"#,
            Permanent,
            ": invalid_client (HTTP 401)",
        ),
        (
            200,
            r#"{"error":"invalid_scope"}"#,
            Permanent,
            ": invalid_scope (HTTP 200)",
        ),
        (
            200,
            r#"{"error":"x","access_token":"abc"}"#,
            Unclear,
            ": x (HTTP 200)",
        ),
        (200, r#"{"error":{"code":5}}"#, Unclear, " (HTTP 200)"),
        (400, "", Unclear, " (HTTP 400)"),
        (401, "", Unclear, " (HTTP 401)"),
        (403, "<html>", Unclear, " (HTTP 403)"),
        (429, "", Transient, " (HTTP 429)"),
        (500, "[]", Transient, " (HTTP 500)"),
        (
            503,
            r#"{"error":"te\nmporarily"}"#,
            Transient,
            ": temporarily (HTTP 503)",
        ),
    ] {
        let error = failure(answer(status, body)).await;
        let (kind, what) = match status {
            500.. => (FetchErrorKind::Unavailable, "is out of order"),
            _ => (FetchErrorKind::Denied, "refused"),
        };
        let message = format!("the token endpoint {what}{shown}");
        assert_eq!(error.to_string(), message, "{status} {body}");
        assert_eq!(error.class(), class, "{status} {body}");
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert_eq!(error.status().unwrap().as_u16(), status);
    }
}

#[tokio::test]
async fn a_providers_own_rows_count_first() {
    let mut dialect = Dialect::new("rows", "https://login.example/token");
    dialect.failures = vec![FailureRow {
        status: 400,
        error: Some("LIMIT".into()),
        class: FailureClass::Transient,
    }];
    let error = ask(builder(dialect), answer(400, r#"{"error":"LIMIT"}"#))
        .await
        .unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = with_header(answer(status, ""), "location", "https://evil.example/");
        let error = failure(elsewhere).await;
        assert_eq!(error.class(), FailureClass::Unclear);
        assert_eq!(error.kind(), FetchErrorKind::Malformed);
        assert!(error.to_string().contains("redirect"), "{error}");
    }
}

#[tokio::test]
async fn a_description_is_kept_apart_with_every_secret_struck_out() {
    let body = r#"{
        "error": "c4n4ry+s/cret",
        "error_description": "c4n4ry+s/cret c4n4ry%2Bs%2Fcret bWU6YzRuNHJ5JTJCcyUyRmNyZXQ= k3y is wrong"
    }"#;
    let builder = plain().token_param("key", secret("k3y"));
    let error = ask(builder, answer(400, body)).await.unwrap_err();
    assert_eq!(
        error.description(),
        Some("[elided] [elided] [elided] [elided] is wrong")
    );
    assert_eq!(error.code(), Some("[elided]"));
    assert!(!format!("{error} {error:?}").contains("wrong"));
}

#[tokio::test]
async fn a_stated_wait_beats_the_dialects_and_a_429_without_one_ends_the_flight() {
    let waiting = || {
        let mut dialect = Dialect::new("waits", "https://login.example/token");
        dialect.wait_after_429 = Some(Duration::from_secs(300));
        builder(dialect)
    };
    let stated = |status| with_header(answer(status, ""), "retry-after", "7");
    for (builder, answer, wait, may_retry) in [
        (plain(), stated(429), Some(7), true),
        (plain(), stated(503), Some(7), true),
        (plain(), stated(400), Some(7), false),
        (plain(), answer(503, ""), None, true),
        (plain(), answer(429, ""), None, false),
        (waiting(), stated(429), Some(7), true),
        (waiting(), answer(429, ""), Some(300), true),
        (waiting(), answer(503, ""), None, true),
    ] {
        let status = answer.status();
        let error = ask(builder, answer).await.unwrap_err();
        assert_eq!(error.wait(), wait.map(Duration::from_secs), "{status}");
        assert_eq!(error.may_retry_within_flight(), may_retry, "{status}");
    }
}

async fn over<B>(answer: impl Fn() -> io::Result<Response<B>> + Send + 'static) -> FetchError
where
    B: http_body::Body<Data = Bytes, Error = io::Error> + Send + 'static,
{
    let transport = service_fn(move |_: Request<Full<Bytes>>| std::future::ready(answer()));
    let fetcher = plain().fetcher(transport).unwrap();
    let asked = fetcher.oneshot(TokenRequest::first(now())).await;
    asked.unwrap_err()
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// An answer whose body gives some bytes and then breaks.
fn cut_off(status: u16) -> Response<impl http_body::Body<Data = Bytes, Error = io::Error> + Send> {
    answer(status, r#"{"error":"#).map(|body| {
        let body = body.map_err(|never| match never {});
        body.with_trailers(async { Some(Err(reset())) })
    })
}

#[tokio::test]
async fn a_transport_that_fails_is_trouble_in_passing() {
    let error =
        over(|| Err::<Response<http_body_util::combinators::BoxBody<_, _>>, _>(reset())).await;
    assert_eq!(error.class(), FailureClass::Transient);
    assert_eq!(error.kind(), FetchErrorKind::Unavailable);
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.is::<io::Error>());
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_trouble_in_passing() {
    let error = over(|| Ok(cut_off(200))).await;
    assert_eq!(error.class(), FailureClass::Transient);
    assert_eq!(error.kind(), FetchErrorKind::Unavailable);
}

#[tokio::test]
async fn a_failures_status_counts_though_its_body_is_cut_off() {
    let error = over(|| Ok(cut_off(403))).await;
    assert_eq!(error.class(), FailureClass::Unclear);
    assert_eq!(error.kind(), FetchErrorKind::Denied);
}

/// What the dialect says is honoured, beyond the policy's own bound; what the user says last bounds it.
#[tokio::test(start_paused = true)]
async fn a_dialects_wait_is_honoured_and_the_users_bound_comes_last() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let mut dialect = Dialect::new("waits", "https://login.example/token");
    dialect.wait_after_429 = Some(minutes(10));
    for (max_retry_after, wait) in [(None, 10), (Some(1), 1), (Some(20), 10)] {
        let clock = Clock::tokio();
        let busy =
            service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(answer(429, "")) });
        let source = builder(dialect.clone())
            .policy(|policy| {
                if let Some(bound) = max_retry_after {
                    policy.max_retry_after = minutes(bound);
                }
            })
            .clock(clock.clone())
            .build_over(busy)
            .unwrap();
        let error = source.token().await.unwrap_err();
        let waits = error.retry_at().unwrap().duration_since(clock.wall());
        let range = minutes(wait)..=minutes(wait).mul_f64(1.1);
        assert!(range.contains(&waits.unwrap()), "{max_retry_after:?}");
    }
}
