//! Answers that are failures, and transports that fail.

use std::io;

use super::*;
use crate::{Clock, FailureClass, FetchErrorKind, client_credentials::FailureRow};

async fn failure(answer: Response<Full<Bytes>>) -> FetchError {
    ask(plain(), answer).await.unwrap_err()
}

/// A page that says "under maintenance" may come with any status, and through a redirect.
#[tokio::test]
async fn a_wait_that_is_asked_for_holds_whatever_the_answer() {
    for (status, body) in [
        (200, "<html>"),
        (200, ""),
        (200, "{}"),
        (200, r#"{"error":"busy"}"#),
        (302, ""),
        (307, "<html>"),
        (400, "{}"),
        (503, ""),
    ] {
        let answer = with_header(answer(status, body), "retry-after", "60");
        let error = ask(plain(), answer).await.unwrap_err();
        let wait = Some(Duration::from_secs(60));
        assert_eq!(error.retry_after(), wait, "{status} {body}");
    }
    let lifeless = answer(200, r#"{"access_token":"abc","expires_in":0}"#);
    let lifeless = with_header(lifeless, "retry-after", "60");
    let error = ask(plain(), lifeless).await.unwrap_err();
    assert_eq!(error.retry_after(), None);
}

#[tokio::test]
async fn a_failure_has_the_class_of_its_code_and_status() {
    use FailureClass::*;
    use FetchErrorKind::{Denied, Unavailable};
    const DENIED: &str = "token request denied";
    const OUT_OF_ORDER: &str = "the token endpoint is out of order";
    let of = |code: &str| format!(r#"{{"error":"{code}"}}"#);
    for (status, body, class, kind, shown) in [
        (
            400,
            of("invalid_client"),
            Permanent,
            Denied,
            ": invalid_client",
        ),
        (
            401,
            of("invalid_client"),
            Permanent,
            Denied,
            ": invalid_client",
        ),
        (
            500,
            of("invalid_client"),
            Permanent,
            Denied,
            ": invalid_client",
        ),
        (
            200,
            of("invalid_scope"),
            Permanent,
            Denied,
            ": invalid_scope",
        ),
        (
            200,
            r#"{"error":"x","access_token":"abc"}"#.into(),
            Unclear,
            Denied,
            ": x",
        ),
        (200, r#"{"error":{"code":5}}"#.into(), Unclear, Denied, ""),
        (400, "".into(), Unclear, Denied, ""),
        (401, "".into(), Unclear, Denied, ""),
        (403, "<html>".into(), Unclear, Denied, ""),
        (429, "".into(), Transient, Denied, ": too many requests"),
        (
            400,
            of("slow_down"),
            Transient,
            Denied,
            ": too many requests: slow_down",
        ),
        (500, "[]".into(), Transient, Unavailable, ""),
        (
            503,
            of("te\\nmporarily"),
            Transient,
            Unavailable,
            ": temporarily",
        ),
        (
            400,
            of("server_error"),
            Transient,
            Unavailable,
            ": server_error",
        ),
        (
            400,
            of("temporarily_unavailable"),
            Transient,
            Unavailable,
            ": temporarily_unavailable",
        ),
    ] {
        let error = failure(answer(status, &body)).await;
        let what = match kind {
            Unavailable => OUT_OF_ORDER,
            _ => DENIED,
        };
        let message = format!("{what}{shown} (HTTP {status})");
        assert_eq!(error.to_string(), message, "{status} {body}");
        assert_eq!(error.class(), class, "{status} {body}");
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert_eq!(error.status().unwrap().as_u16(), status);
    }
}

/// RFC 8628 §3.5: five seconds more.
#[tokio::test]
async fn slow_down_is_obeyed() {
    let slow = || answer(400, r#"{"error":"slow_down"}"#);
    let error = failure(slow()).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
    assert!(error.may_retry_within_fetch());
    let stated = with_header(slow(), "retry-after", "2");
    let error = failure(stated).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
}

#[tokio::test]
async fn a_providers_own_rows_count_first() {
    let mut dialect = Dialect::new("rows", "https://login.example/token");
    dialect.failures = vec![FailureRow {
        status: 400,
        error: Some("LIMIT".into()),
        class: FailureClass::Transient,
        attempts: None,
    }];
    let error = ask(builder(dialect), answer(400, r#"{"error":"LIMIT"}"#))
        .await
        .unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient);
}

#[tokio::test]
async fn a_stated_wait_beats_the_dialects_and_a_429_without_one_ends_the_fetch() {
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
        assert_eq!(
            error.retry_after(),
            wait.map(Duration::from_secs),
            "{status}"
        );
        assert_eq!(error.may_retry_within_fetch(), may_retry, "{status}");
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
async fn a_failing_transport_is_transient() {
    let error =
        over(|| Err::<Response<http_body_util::combinators::BoxBody<_, _>>, _>(reset())).await;
    assert_eq!(error.class(), FailureClass::Transient);
    assert_eq!(error.kind(), FetchErrorKind::Unavailable);
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.is::<io::Error>());
}

#[tokio::test]
async fn a_truncated_answer_is_transient() {
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
                    policy.retry.max_retry_after = minutes(bound);
                }
            })
            .clock(clock.clone())
            .build(busy)
            .unwrap();
        let error = source.token().await.unwrap_err();
        let waits = error.retry_at().unwrap().duration_since(clock.wall());
        let range = minutes(wait)..=minutes(wait).mul_f64(1.1);
        assert!(range.contains(&waits.unwrap()), "{max_retry_after:?}");
    }
}
