//! What the metrics facade is told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use tower::service_fn;
use tower_oauth::{BoxError, Clock, FetchError, Token, TokenRequest, TokenSource};

use crate::support::{Answer, Api, Endpoint, get};

/// Each value as `name{label=value} value`.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<String>>>);

struct Series(Recorded, String);

impl Recorded {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels = key
            .labels()
            .map(|it| format!("{}={}", it.key(), it.value()));
        let labels = labels.collect::<Vec<_>>().join(",");
        Arc::new(Series(self.clone(), format!("{}{{{labels}}}", key.name())))
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Series {
    fn note(&self, value: f64) {
        self.0.0.lock().unwrap().push(format!("{} {value}", self.1));
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.note(value as f64);
    }

    fn absolute(&self, value: u64) {
        self.note(value as f64);
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.note(value);
    }

    fn decrement(&self, value: f64) {
        self.note(-value);
    }

    fn set(&self, value: f64) {
        self.note(value);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.note(value);
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_and_its_wait_count_and_a_hit_does_not() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let fetcher = service_fn(|_: TokenRequest| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok::<_, BoxError>(Token::new("abc").with_lifetime(Duration::from_secs(300)))
    });
    let source = TokenSource::builder(fetcher)
        .name("efi/17")
        .metrics_name("efi");
    let source = source.clock(Clock::tokio()).seed(1).build().unwrap();
    source.token().await.unwrap();
    assert_eq!(
        recorded.take(),
        [
            "oauth_fetches_total{provider=efi,cause=missing,outcome=new,class=none} 1",
            "oauth_attempts_total{provider=efi} 1",
            "oauth_fetch_duration_seconds{provider=efi,outcome=new} 2",
            "oauth_wait_duration_seconds{provider=efi,outcome=token} 2",
        ]
    );
    source.token().await.unwrap();
    assert_eq!(recorded.take(), [""; 0]);

    source.status().record_metrics();
    let gauges = recorded.take();
    assert!(
        gauges.iter().all(|it| it.contains("{provider=efi}")),
        "{gauges:#?}"
    );
    assert_eq!(gauges[0], "oauth_token_usable{provider=efi} 1");
}

#[tokio::test(start_paused = true)]
async fn a_failure_counts_by_its_class() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let endpoint = Endpoint::new();
    endpoint.then_fail(FetchError::permanent("invalid_client"));
    endpoint.source().token().await.unwrap_err();
    let all = recorded.take();
    assert_eq!(
        all[0],
        "oauth_fetches_total{provider=test,cause=missing,outcome=failed,class=permanent} 1"
    );
    assert_eq!(
        all[3],
        "oauth_wait_duration_seconds{provider=test,outcome=error} 0"
    );
}

/// The wait of a retry is that for the fetch, once.
#[tokio::test(start_paused = true)]
async fn a_rejected_request_counts_its_rejection_its_wait_and_its_retry() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let endpoint = Endpoint::new();
    for text in ["old", "new"] {
        endpoint.then(Answer::Token(Token::new(text)));
    }
    let source = endpoint.source();
    source.token().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    recorded.take();
    let api = Api::new(|request| match crate::support::bearer(request).as_str() {
        "old" => http::StatusCode::UNAUTHORIZED,
        _ => http::StatusCode::OK,
    });
    let layer = tower_oauth::OAuthLayer::new(source).retry_rejected();
    let service = tower::Layer::layer(&layer, api.service());
    tower::ServiceExt::oneshot(service, get("/cob"))
        .await
        .unwrap();
    let all = recorded.take();
    let of = |name: &str| all.iter().filter(|it| it.starts_with(name)).count();
    assert_eq!(
        of("oauth_rejections_total{provider=test,rejection=definite} 1"),
        1
    );
    assert_eq!(of("oauth_retries_total{provider=test} 1"), 1);
    assert_eq!(of("oauth_wait_duration_seconds{"), 1, "{all:#?}");
}
