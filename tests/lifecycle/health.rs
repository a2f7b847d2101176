//! Live, ready and degraded: each row of the table at [`Health`].

use std::{sync::atomic::Ordering, time::Duration};

use http::StatusCode;
use tower_oauth::{
    FetchError, Health, HealthIssueKind, Status, TokenSource, identity::Identity,
    testing::Authority,
};

use crate::{
    fetcher::closing,
    support::{Answer, Endpoint, at_once, fetch_ended, millis, secs, served},
};

/// Live, ready, and the kinds of the issues.
type Row = (bool, bool, Vec<HealthIssueKind>);

fn row(status: impl Into<Status>) -> Row {
    let health = Health::of([status]);
    let source = &health.sources[0];
    assert_eq!((health.live, health.ready), (source.live, source.ready));
    assert_eq!(health.degraded, !source.issues.is_empty());
    let kinds = source.issues.iter().map(|issue| issue.kind).collect();
    (health.live, health.ready, kinds)
}

fn well() -> Row {
    (true, true, vec![])
}

fn issue(live: bool, ready: bool, kind: HealthIssueKind) -> Row {
    (live, ready, vec![kind])
}

fn endpoint() -> Endpoint {
    Endpoint::new().lifetime(secs(1000))
}

/// The source backs off for 5 s, or a quarter less or more.
async fn failed(source: &TokenSource) {
    source.token().await.unwrap_err();
    assert!(source.status().retry_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_was_never_needed_is_ready_and_is_asked_nothing() {
    let endpoint = endpoint();
    let source = endpoint.source();
    assert_eq!(row(&source), well());
    assert!(at_once(&source).is_none());
    assert!(source.status().fetching);
    assert_eq!(row(&source), well());
    fetch_ended(&source).await;
    assert_eq!(row(&source), well());
    assert_eq!(endpoint.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_no_issue_while_nobody_needs_it() {
    let endpoint = endpoint();
    let source = endpoint.source();
    source.ready().await.unwrap();
    tokio::time::advance(secs(2000)).await;
    assert_eq!(row(&source), well());
    assert!(at_once(&source).is_none());
    assert!(source.status().fetching);
    assert_eq!(row(&source), well());
    fetch_ended(&source).await;
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_the_source_ready_until_the_token_expires() {
    let endpoint = endpoint();
    let source = endpoint.source();
    source.ready().await.unwrap();
    tokio::time::advance(secs(900)).await;
    endpoint.then_fail(FetchError::permanent("invalid_client"));
    served(&source);
    fetch_ended(&source).await;
    assert_eq!(
        row(&source),
        issue(true, true, HealthIssueKind::RefreshFailing)
    );
    let health = Health::of([&source]);
    let found = &health.sources[0].issues[0];
    assert!(found.text.contains("invalid_client"), "{}", found.text);
    assert_eq!(found.retry_at, source.status().retry_at);

    endpoint.then_fail(FetchError::unclear("down"));
    tokio::time::advance(secs(90)).await;
    assert_eq!(
        row(&source),
        issue(true, true, HealthIssueKind::NoToken),
        "the back-off is over: the next request would try"
    );
    failed(&source).await;
    assert_eq!(row(&source), issue(true, false, HealthIssueKind::NoToken));
    source.retry_now();
    source.ready().await.unwrap();
    assert_eq!(row(&source), well());
}

#[tokio::test(start_paused = true)]
async fn without_a_token_a_back_off_and_the_fetch_after_it_are_not_ready() {
    let endpoint = endpoint().latency(secs(2));
    endpoint.then_fail(FetchError::unclear("down"));
    endpoint.then_fail(FetchError::unclear("down"));
    let source = endpoint.source();
    failed(&source).await;
    let not_ready = issue(true, false, HealthIssueKind::NoToken);
    assert_eq!(row(&source), not_ready);
    tokio::time::advance(secs(7)).await;
    // Without this, no request would come, and none would find out that the endpoint is well.
    assert_eq!(row(&source), issue(true, true, HealthIssueKind::NoToken));
    assert!(at_once(&source).is_none());
    assert!(source.status().fetching);
    assert_eq!(row(&source), not_ready);
    fetch_ended(&source).await;
    assert_eq!(row(&source), not_ready);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_kept_fresh_is_not_ready_until_a_fetch_succeeds() {
    let endpoint = endpoint().latency(secs(2));
    for _ in 0..4 {
        endpoint.then_fail(FetchError::unclear("down"));
    }
    let source = endpoint.source();
    tokio::spawn(source.keep_fresh());
    let mut ready_again = None;
    let started = tokio::time::Instant::now();
    failed(&source).await;
    while ready_again.is_none() {
        tokio::time::sleep(millis(500)).await;
        let (live, ready, _) = row(&source);
        assert!(live);
        ready_again = ready.then(|| started.elapsed());
    }
    assert_eq!(endpoint.attempts(), 5);
    assert_eq!(row(&source), well());
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_an_issue_until_its_replacement_is_there() {
    let endpoint = endpoint();
    let source = endpoint.source();
    source.ready().await.unwrap();
    tokio::time::advance(secs(2)).await;
    source.invalidate(source.token().await.unwrap().generation());
    assert_eq!(row(&source), issue(true, true, HealthIssueKind::Rejected));
    fetch_ended(&source).await;
    assert_eq!(row(&source), well());

    // No replacement comes: the token is used again.
    endpoint.then(Answer::Hang);
    tokio::time::advance(secs(2)).await;
    source.invalidate(source.token().await.unwrap().generation());
    tokio::time::advance(secs(3)).await;
    assert_eq!(row(&source), well());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_was_shut_down_is_not_live() {
    let endpoint = endpoint();
    let source = endpoint.source();
    source.ready().await.unwrap();
    source.shutdown();
    assert_eq!(row(&source), issue(false, true, HealthIssueKind::Closed));
    tokio::time::advance(secs(2000)).await;
    assert_eq!(row(&source), issue(false, false, HealthIssueKind::Closed));
    let found = &Health::of([&source]).sources[0].issues[0];
    assert_eq!(found.text, "test: the token source was shut down");
    assert!(found.advice.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_fetcher_is_closed_is_not_live() {
    let endpoint = endpoint();
    let (source, calls) = closing(&endpoint);
    calls.store(1, Ordering::SeqCst);
    source.token().await.unwrap_err();
    assert_eq!(row(&source), issue(false, false, HealthIssueKind::Closed));
    let found = &Health::of([&source]).sources[0].issues[0];
    assert!(found.text.ends_with("the worker is gone"), "{}", found.text);
}

#[tokio::test(start_paused = true)]
async fn optional_sources_degrade_and_no_more() {
    let (good, bad) = (endpoint(), endpoint());
    bad.then_fail(FetchError::unclear("down"));
    let (good, bad) = (good.source(), bad.source());
    failed(&bad).await;
    let health = Health::of([&good]).with_optional([&bad]);
    assert!(health.live && health.ready && health.degraded);
    assert_eq!(health.ready_status(), StatusCode::OK);
    let required: Vec<_> = health.sources.iter().map(|it| it.required).collect();
    assert_eq!(required, [true, false]);

    let health = Health::of([&good, &bad]);
    assert!(health.live && !health.ready);
    assert_eq!(health.live_status(), StatusCode::OK);
    assert_eq!(health.ready_status(), StatusCode::SERVICE_UNAVAILABLE);
    bad.shutdown();
    let health = Health::of([&good]).with_optional([&bad]);
    assert_eq!(health.live_status(), StatusCode::OK);
    let health = Health::of([good.status(), bad.status()]);
    assert_eq!(health.live_status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// The issues of a source with a certificate of this validity, that long before its end.
fn certified(validity: Duration, left: Duration) -> Row {
    let pair = Authority::new().unwrap().client("me").unwrap();
    let pem = [pair.certificate_pem(), pair.key_pem()].concat();
    let mut certificate = Identity::pem(pem).build().unwrap().certificate();
    certificate.not_after = certificate.not_before + validity;
    let mut status = endpoint().source().status();
    status.at = certificate.not_after - left;
    status.certificate = Some(certificate);
    row(status)
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_ends_is_an_issue_in_time() {
    let hour = secs(3600);
    let day = 24 * hour;
    let soon = issue(true, true, HealthIssueKind::CertificateEndsSoon);
    for (validity, left, expected) in [
        (365 * day, 15 * day, well()),
        (365 * day, 14 * day, soon.clone()),
        (90 * day, 10 * day, well()),
        (90 * day, 9 * day, soon.clone()),
        (day, 3 * hour, well()),
        (day, 2 * hour, soon),
    ] {
        assert_eq!(certified(validity, left), expected, "{validity:?} {left:?}");
    }
    let mut status = endpoint().source().status();
    let pair = Authority::new().unwrap().client("me").unwrap();
    let pem = [pair.certificate_pem(), pair.key_pem()].concat();
    let certificate = Identity::pem(pem).build().unwrap().certificate();
    status.at = certificate.not_after + secs(1);
    status.certificate = Some(certificate);
    assert_eq!(
        row(status),
        issue(true, true, HealthIssueKind::CertificateExpired)
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_bypassed_is_an_issue() {
    let endpoint = endpoint();
    let sharing = tower_oauth::Sharing::default();
    let source = endpoint.builder().sharing(sharing).build().unwrap();
    assert_eq!(row(&source), well());
    let mut status = source.status();
    status.sharing.as_mut().unwrap().bypassed = true;
    assert_eq!(
        row(status),
        issue(true, true, HealthIssueKind::StoreBypassed)
    );
}

#[tokio::test(start_paused = true)]
async fn the_json_has_the_words_and_no_token() {
    let endpoint = endpoint();
    let source = endpoint.source();
    source.ready().await.unwrap();
    tokio::time::advance(secs(900)).await;
    endpoint.then_fail(FetchError::unclear("down"));
    served(&source);
    fetch_ended(&source).await;
    let page = serde_json::to_value(Health::of([&source])).unwrap();
    assert_eq!(
        (&page["live"], &page["ready"], &page["degraded"]),
        (&true.into(), &true.into(), &true.into())
    );
    let found = &page["sources"][0]["issues"][0];
    assert_eq!(found["kind"], "refresh_failing");
    assert!(found["retry_at"].as_str().unwrap().ends_with('Z'));
    assert!(!page.to_string().contains("token-1"));
}
