//! What an error tells a program: kind, class, the status for one's own callers, and when to come back; and what it
//! tells a human being, once.

use std::{error::Error, fmt};

use crate::support::{Answer, Endpoint, at_once, secs};
use tower_oauth::{FailureClass, FetchError, OAuthError, OAuthErrorKind, Token};

/// What a fetch ends with, given what the fetcher does.
async fn failed(answer: Answer) -> OAuthError {
    let endpoint = Endpoint::new();
    endpoint.then(answer);
    let builder = endpoint
        .builder()
        .policy(|policy| policy.retry.attempts = 1);
    builder.build().unwrap().token().await.unwrap_err()
}

async fn failed_with(error: FetchError) -> OAuthError {
    failed(Answer::Fail(error.into())).await
}

fn foreign() -> OAuthError {
    let elsewhere = "http://elsewhere.example/".parse().unwrap();
    Endpoint::new().source().permits(&elsewhere).unwrap_err()
}

async fn shut_down() -> OAuthError {
    let source = Endpoint::new().source();
    source.shutdown();
    source.token().await.unwrap_err()
}

fn outside_a_runtime(endpoint: &Endpoint) -> OAuthError {
    let source = endpoint.source();
    let asked = std::thread::spawn(move || at_once(&source).unwrap().unwrap_err());
    asked.join().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_kind_has_its_word_its_class_and_its_status() {
    use FailureClass::*;
    use OAuthErrorKind::*;
    for (error, kind, word, class, status, grpc) in [
        (
            failed_with(FetchError::transient("busy")).await,
            Fetcher,
            "fetcher",
            Some(Transient),
            503,
            14,
        ),
        (
            failed_with(FetchError::unclear("what")).await,
            Fetcher,
            "fetcher",
            Some(Unclear),
            503,
            14,
        ),
        (
            failed_with(FetchError::permanent("no")).await,
            Fetcher,
            "fetcher",
            Some(Permanent),
            500,
            13,
        ),
        (
            failed(Answer::Panic).await,
            Fetcher,
            "fetcher",
            Some(Unclear),
            503,
            14,
        ),
        (
            failed(Answer::Token(Token::new("a\nb"))).await,
            Malformed,
            "malformed",
            Some(Unclear),
            503,
            14,
        ),
        (
            failed(Answer::Hang).await,
            TimedOut,
            "timeout",
            Some(Transient),
            504,
            14,
        ),
        (foreign(), ForeignOrigin, "foreign_origin", None, 500, 13),
        (shut_down().await, Closed, "closed", None, 500, 13),
        (
            outside_a_runtime(&Endpoint::new()),
            NoRuntime,
            "no_runtime",
            None,
            500,
            13,
        ),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.kind().as_str(), word, "{error}");
        assert_eq!(error.class(), class, "{error}");
        assert_eq!(error.suggested_status().as_u16(), status, "{error}");
        assert_eq!(error.suggested_grpc_code(), grpc, "{error}");
        let waits = error.retry_at().is_some();
        assert_eq!(error.retry_after().is_some(), waits, "{error}");
        assert!(error.source().is_none(), "{error}");
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}

/// Also of the same error, held for a while: what is left is counted anew.
#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_back_off_runs_down() {
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down").with_retry_after(secs(60)));
    let source = endpoint.source();
    let error = source.token().await.unwrap_err();
    let whole = error.retry_after().unwrap();
    assert!((secs(60)..=secs(66)).contains(&whole), "{whole:?}");
    tokio::time::advance(secs(50)).await;
    assert_eq!(error.retry_after(), Some(whole - secs(50)));
    // The wall clock is not asked: one that steps does not cut the wait short.
    endpoint.clock.step_wall_forward(secs(3600));
    assert_eq!(error.retry_after(), Some(whole - secs(50)));
    let again = source.token().await.unwrap_err();
    assert_eq!(again.retry_after(), error.retry_after());
    assert_eq!(again.to_string(), error.to_string());
    tokio::time::advance(secs(50)).await;
    assert_eq!(error.retry_after(), Some(secs(0)));
}

/// One whose words repeat those of its cause, as many do.
#[derive(Debug)]
struct Repeating(&'static str, Option<Box<Repeating>>);

impl fmt::Display for Repeating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.1 {
            Some(cause) => write!(f, "{}: {cause}", self.0),
            None => f.write_str(self.0),
        }
    }
}

impl Error for Repeating {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetchers_causes_are_shown_once_and_on_one_line() {
    let sealed = Repeating("sealed\nby \u{1b}[31mroot", None);
    let vault = Repeating("no lease", Some(Box::new(sealed)));
    let error = failed_with(FetchError::unclear(vault)).await;
    assert_eq!(
        error.summary(),
        "test: the fetcher failed: no lease: sealed by [31mroot"
    );
}
