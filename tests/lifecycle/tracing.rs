//! The events for `tracing`: the span of a fetch, and that nothing shows a token.

use crate::support::logs::Logs;
use crate::support::{Answer, Api, Endpoint, fetch_ended, get, secs, served};
use futures_util::FutureExt;
use tower::{Layer, ServiceExt};
use tower_oauth::{FetchError, OAuthLayer, Token};
use tracing::Instrument;

/// A text that must be nowhere.
const SECRET: &str = "s3cr3t";

#[tokio::test(start_paused = true)]
async fn a_background_fetch_is_a_root_span_and_not_the_callers() {
    let (logs, _listening) = Logs::listen();
    let endpoint = Endpoint::new()
        .lifetime(secs(1000))
        .latency(crate::support::millis(20));
    let source = endpoint.source();
    let caller = tracing::info_span!("caller");
    let waits = async {
        tracing::info!("asking");
        source.token().await.unwrap()
    };
    waits.instrument(caller.clone()).await;
    tokio::time::advance(secs(850)).await;
    caller.in_scope(|| served(&source));
    fetch_ended(&source).await;

    let fetches = logs.with("token_fetch in []");
    assert_eq!(fetches.len(), 2, "{fetches:?}");
    assert!(
        fetches[0].contains("provider=\"test\" cause=\"missing\""),
        "{fetches:?}"
    );
    assert!(fetches[1].contains("cause=\"ahead\""), "{fetches:?}");
    let landings = logs.with("duration_ms=20");
    assert_eq!(landings.len(), 2, "what a fetch took");
    // The fetch's events are in its own span, and the caller's span holds only the caller's event.
    assert_eq!(logs.with("in [token_fetch]").len(), 2);
    assert_eq!(logs.with("in [caller]").len(), 1);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_is_logged_at_its_level() {
    let (logs, _listening) = Logs::listen();
    let endpoint = Endpoint::new();
    endpoint
        .then_fail(FetchError::transient("busy"))
        .then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    assert!(source.token().await.is_err());
    for _ in 0..100 {
        assert!(source.token().now_or_never().unwrap().is_err());
    }
    source.retry_now();
    source.ready().await.unwrap();

    let of = |level: &str| logs.with(&format!("event {level}"));
    let (warnings, news) = (of("WARN"), of("INFO"));
    assert_eq!(
        (warnings.len(), news.len()),
        (1, 1),
        "{warnings:?} {news:?}"
    );
    assert!(warnings[0].contains("class=\"unclear\""), "{warnings:?}");
    assert!(warnings[0].contains("down"), "{warnings:?}");
    assert!(news[0].contains("generation=1 lifetime_s=3600"), "{news:?}");
    assert_eq!(of("DEBUG").len(), 1);
    let outcomes = logs.with("record outcome");
    assert_eq!(
        outcomes,
        ["record outcome=\"failed\"", "record outcome=\"new\""]
    );
    assert_eq!(endpoint.attempts(), 3);
}

/// A token that must not be shown.
fn secret(number: u32) -> Answer {
    let token = Token::new(format!("{SECRET}-{number}")).with_extra("jwt_token", SECRET);
    Answer::Token(token.with_lifetime(secs(1000)))
}

#[tokio::test(start_paused = true)]
async fn no_token_is_in_any_event() {
    let (logs, _listening) = Logs::listen();
    let endpoint = Endpoint::new();
    endpoint
        .then(secret(1))
        .then_fail(FetchError::transient("busy"))
        .then(secret(2))
        .then(secret(3))
        .then(secret(3))
        .then(Answer::Token(Token::new(format!("{SECRET}\r\n"))))
        .then(Answer::Panic);
    let source = endpoint.source();
    let api = Api::new(|request| match crate::support::bearer(request).as_str() {
        "s3cr3t-3" => http::StatusCode::OK,
        _ => http::StatusCode::UNAUTHORIZED,
    });
    let service = OAuthLayer::new(source.clone())
        .retry_rejected()
        .layer(api.service());
    for path in ["/one", "/two"] {
        let response = service.clone().oneshot(get(path)).await.unwrap();
        logs.record(
            &format!("{:?} {:?}", response.headers(), response.extensions()),
            |_| {},
        );
    }
    let current = source.token().await.unwrap();
    logs.record(
        &format!("{source:?} {current:?} {:?}", source.status()),
        |_| {},
    );
    source.invalidate(current.generation());
    fetch_ended(&source).await;
    for _ in 0..2 {
        tokio::time::advance(secs(1000)).await;
        let error = source.token().await.unwrap_err();
        logs.record(&format!("{error} {error:?} {:?}", source.status()), |_| {});
    }

    assert_eq!(endpoint.attempts(), 7);
    assert_eq!(api.tokens(), ["s3cr3t-1", "s3cr3t-2", "s3cr3t-3"]);
    assert!(logs.lines().len() > 20, "{:#?}", logs.lines());
    assert_eq!(logs.with(SECRET), Vec::<String>::new());
}

/// A subscriber that panics.
struct Panicking;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Panicking {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        panic!("the subscriber's own mistake");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_keeps_no_caller_waiting() {
    use tracing_subscriber::{layer::SubscriberExt, registry, util::SubscriberInitExt};

    let _listening = registry().with(Panicking).set_default();
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    let asked = tokio::time::Instant::now();
    assert!(source.token().await.unwrap_err().retry_at().is_some());
    source.retry_now();
    source.token().await.unwrap();
    assert!(asked.elapsed() <= secs(1), "{:?}", asked.elapsed());
}
