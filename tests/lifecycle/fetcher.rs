//! Fetchers that panic, hang or close, and what becomes of them.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use crate::support::{
    Answer, Endpoint, ask_steadily, at_once, fetch_ended, millis, secs, served, text,
};
use futures_util::future::join_all;
use tower::{Service, service_fn};
use tower_oauth::{
    BoxError, FailureClass, FetchCause, FetchError, OAuthErrorKind, Token, TokenRequest,
    TokenSource,
};

#[tokio::test(start_paused = true)]
async fn the_fetcher_comes_back_after_whatever_ended_a_fetch() {
    let endpoint = Endpoint::new();
    let builder = endpoint
        .builder()
        .policy(|policy| policy.retry.attempts = 1);
    let source = builder.build().unwrap();
    for end in [Answer::Hang, Answer::Panic, Answer::Fail("no".into())] {
        endpoint.then(end);
        assert!(source.token().await.is_err());
        source.retry_now();
    }
    assert_eq!(text(&source).await, "token-1");
    assert_eq!((endpoint.attempts(), endpoint.most_under_way()), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_all_who_waited_and_is_backed_off_from() {
    let endpoint = Endpoint::new().latency(millis(50));
    endpoint.then(Answer::Panic);
    let source = endpoint.source();
    let results = join_all((0..100).map(|_| source.token())).await;
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind().as_str(), "fetcher");
        assert!(error.retry_at().is_some());
    }
    assert!(at_once(&source).unwrap().is_err());
    let counters = source.status().counters;
    assert_eq!((endpoint.attempts(), counters.failures), (1, 1));

    source.ready().await.unwrap();
    assert!(endpoint.elapsed() >= millis(3750));
    assert_eq!(
        (served(&source).as_str(), endpoint.attempts()),
        ("token-1", 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_the_token_is_stale_costs_requests_nothing() {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    let source = endpoint.source();
    source.ready().await.unwrap();
    endpoint.then(Answer::Panic);
    tokio::time::advance(secs(850)).await;
    assert_eq!(ask_steadily(&source, millis(100), secs(10)).await, 0);
    assert_eq!(
        (served(&source).as_str(), endpoint.attempts()),
        ("token-2", 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_panics_before_its_future_is_there_is_no_different() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let fetcher = service_fn(move |_: TokenRequest| {
        assert!(counted.fetch_add(1, Ordering::SeqCst) > 0, "scripted panic");
        ready(Ok::<_, BoxError>(Token::new("second")))
    });
    let source = TokenSource::builder(fetcher).build().unwrap();
    assert_eq!(source.token().await.unwrap_err().kind().as_str(), "fetcher");
    source.retry_now();
    assert_eq!(text(&source).await, "second");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

/// Is ready for one call, and closed after it.
struct Closing {
    calls: Arc<AtomicUsize>,
}

impl Service<TokenRequest> for Closing {
    type Response = Token;
    type Error = BoxError;
    type Future = Ready<Result<Token, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(match self.calls.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err("the worker is gone".into()),
        })
    }

    fn call(&mut self, _: TokenRequest) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Token::new("only").with_lifetime(secs(1000))))
    }
}

/// A source over it, and the number of its calls, which a test may set.
pub(crate) fn closing(endpoint: &Endpoint) -> (TokenSource, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let fetcher = Closing {
        calls: calls.clone(),
    };
    let builder = TokenSource::builder(fetcher).clock(endpoint.clock.clone());
    (builder.build().unwrap(), calls)
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_is_closed_says_so_and_is_never_called_again() {
    let endpoint = Endpoint::new();
    let (source, calls) = closing(&endpoint);
    calls.store(1, Ordering::SeqCst);
    let results = join_all((0..10).map(|_| source.token())).await;
    for error in results.into_iter().map(Result::unwrap_err) {
        assert!(error.is_closed());
        assert_eq!((error.kind().as_str(), error.retry_at()), ("closed", None));
        assert_eq!(
            error.to_string(),
            "oauth: the token fetcher is closed (its poll_ready failed): the worker is gone. Build a new source."
        );
    }
    let failure = source.status().last_failure.unwrap();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert_eq!(failure.kind, OAuthErrorKind::Closed);
    // Nothing opens it again: not even a readiness that would be there now.
    calls.store(0, Ordering::SeqCst);
    source.retry_now();
    tokio::time::advance(secs(3600)).await;
    assert!(at_once(&source).unwrap().unwrap_err().is_closed());
    assert!(source.ready().await.unwrap_err().is_closed());
    assert_eq!(source.status().counters.attempts, 0);
    assert!(!source.status().fetching);
}

#[tokio::test(start_paused = true)]
async fn a_token_outlives_the_fetcher_that_got_it() {
    let endpoint = Endpoint::new();
    let (source, _) = closing(&endpoint);
    source.ready().await.unwrap();
    tokio::time::advance(secs(850)).await;
    assert_eq!(ask_steadily(&source, secs(1), secs(139)).await, 0);
    tokio::time::advance(secs(5)).await;
    assert!(at_once(&source).unwrap().unwrap_err().is_closed());
    assert_eq!(source.status().counters.attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_sees_its_attempt_its_cause_and_its_start() {
    let endpoint = Endpoint::new();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = seen.clone();
    let fetcher = service_fn(move |request: TokenRequest| {
        kept.lock().unwrap().push(request.clone());
        ready(match request.attempt() {
            3 => Ok(Token::new("third")),
            _ => Err(FetchError::transient("busy").with_retry_after(secs(1))),
        })
    });
    let builder = TokenSource::builder(fetcher).clock(endpoint.clock.clone());
    let started = endpoint.clock.wall();
    builder.build().unwrap().ready().await.unwrap();
    let seen = seen.lock().unwrap();
    let attempts: Vec<_> = seen.iter().map(TokenRequest::attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert!(seen.iter().all(|it| it.cause() == FetchCause::Missing));
    assert_eq!(seen[0].started_at(), started);
    assert!(seen[2].started_at() >= started + secs(2));
}

#[tokio::test(start_paused = true)]
async fn an_empty_token_is_malformed_and_the_one_before_is_kept() {
    let endpoint = Endpoint::new().lifetime(secs(1000));
    let source = endpoint.source();
    source.ready().await.unwrap();
    tokio::time::advance(secs(850)).await;
    for text in ["", "line\r\nbreak"] {
        endpoint.then(Answer::Token(Token::new(text).with_lifetime(secs(1000))));
        assert_eq!(served(&source), "token-1");
        fetch_ended(&source).await;
        assert!(source.status().error.is_some());
        assert_eq!(served(&source), "token-1");
        source.retry_now();
    }
    assert_eq!(endpoint.attempts(), 3);
}
