//! Metrics through the `metrics` facade (feature `metrics`): names, meanings, and their descriptions for a recorder.
//!
//! The crate tells the facade what happens; which recorder listens, such as a Prometheus exporter, is the application's
//! choice. Without a recorder, and on the path of a request that finds a fresh token, nothing is done.
//!
//! - Call [`describe`] once at start-up, after the recorder is installed.
//! - Counters and histograms count by themselves, when a fetch ends, when a request has waited, and when a token is
//!   rejected.
//! - Gauges show one moment. Before each scrape, call `record_metrics` of [`Status`](crate::Status::record_metrics),
//!   [`TokenEndpointStatus`](crate::TokenEndpointStatus::record_metrics), and `PoolStatus` (feature `pool`).
//!
//! The label `provider` is the name of the source, or what
//! [`TokenSourceBuilder::metrics_name`](crate::TokenSourceBuilder::metrics_name) says. No label holds a secret, a
//! token, a client's id, or text of a bank.
//!
//! # Examples
//!
//! ```
//! use tower_oauth::{TokenSource, metrics};
//!
//! // At start-up, after the recorder:
//! metrics::describe();
//!
//! // In the handler of `/metrics`:
//! fn scrape(sources: &[TokenSource]) {
//!     for source in sources {
//!         source.status().record_metrics();
//!     }
//!     // … then render what the recorder holds.
//! }
//! ```

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// A value at one moment.
    Gauge,
    /// How often something took how long.
    Histogram,
}

/// A metric of this crate; [`ALL`] lists them.
///
/// # Examples
///
/// ```
/// let names = tower_oauth::metrics::ALL.iter().map(|metric| metric.name);
/// assert!(names.clone().all(|name| name.starts_with("oauth_")));
/// assert!(names.into_iter().any(|name| name == "oauth_fetches_total"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, in the convention of Prometheus.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// For the facade.
    unit: Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub description: &'static str,
}

pub(crate) const FETCHES: &str = "oauth_fetches_total";
pub(crate) const FETCH_DURATION: &str = "oauth_fetch_duration_seconds";
pub(crate) const ATTEMPTS: &str = "oauth_attempts_total";
pub(crate) const WAIT: &str = "oauth_wait_duration_seconds";
pub(crate) const REJECTIONS: &str = "oauth_rejections_total";
pub(crate) const RETRIES: &str = "oauth_retries_total";
pub(crate) const USABLE: &str = "oauth_token_usable";
pub(crate) const EXPIRY: &str = "oauth_token_expiry_seconds";
pub(crate) const AGE: &str = "oauth_token_age_seconds";
pub(crate) const BACK_OFF: &str = "oauth_back_off_seconds";
pub(crate) const FAILURES: &str = "oauth_consecutive_failures";
pub(crate) const CERTIFICATE_EXPIRY: &str = "oauth_certificate_expiry_seconds";
pub(crate) const STORE_BYPASSED: &str = "oauth_store_bypassed";
pub(crate) const STORE_BYPASSES: &str = "oauth_store_bypasses_total";
pub(crate) const STORE_FAILURES: &str = "oauth_store_failures_total";
pub(crate) const STORE_LEASES: &str = "oauth_store_leases_total";
pub(crate) const ENDPOINT_WAITING: &str = "oauth_endpoint_waiting";
pub(crate) const ENDPOINT_UNDER_WAY: &str = "oauth_endpoint_under_way";
pub(crate) const ENDPOINT_PAUSE: &str = "oauth_endpoint_pause_seconds";
pub(crate) const ENDPOINT_ATTEMPTS: &str = "oauth_endpoint_attempts_total";
pub(crate) const ENDPOINT_PAUSES: &str = "oauth_endpoint_pauses_total";
pub(crate) const POOL_SOURCES: &str = "oauth_pool_sources";
pub(crate) const POOL_FAILING: &str = "oauth_pool_failing";
pub(crate) const POOL_CAPACITY: &str = "oauth_pool_capacity";
pub(crate) const POOL_MADE: &str = "oauth_pool_sources_made_total";
pub(crate) const POOL_EVICTED: &str = "oauth_pool_evicted_total";

/// All metrics, those of other features included.
pub const ALL: &[Metric] = &[
    counter(
        FETCHES,
        Unit::Count,
        &["provider", "cause", "outcome", "class"],
        "Fetches that have ended. `outcome`: `new`, `repeated`, `from_store`, `failed` or `held_back`. `class` of a failure: `transient`, `unclear` or `permanent`, else `none`.",
    ),
    histogram(
        FETCH_DURATION,
        &["provider", "outcome"],
        "How long a fetch took, with all its attempts and the waits between them.",
    ),
    counter(
        ATTEMPTS,
        Unit::Count,
        &["provider"],
        "Attempts of the fetches that have ended, each a token request or an answer of the shared store.",
    ),
    histogram(
        WAIT,
        &["provider", "outcome"],
        "How long a request without a usable token waited. `outcome`: `token` or `error`.",
    ),
    counter(
        REJECTIONS,
        Unit::Count,
        &["provider", "rejection"],
        "Responses of the API that rejected a token. `rejection`: `definite` or `ambiguous`.",
    ),
    counter(
        RETRIES,
        Unit::Count,
        &["provider"],
        "Requests that were sent once more with a newer token.",
    ),
    gauge(
        USABLE,
        Unit::Count,
        &["provider"],
        "1 if a request would get a token without waiting, else 0.",
    ),
    gauge(
        EXPIRY,
        Unit::Seconds,
        &["provider"],
        "How long until the current token expires. 0 without a token.",
    ),
    gauge(
        AGE,
        Unit::Seconds,
        &["provider"],
        "How long ago the current token was issued. 0 without a token.",
    ),
    gauge(
        BACK_OFF,
        Unit::Seconds,
        &["provider"],
        "How long the source still backs off. 0 if it does not.",
    ),
    gauge(
        FAILURES,
        Unit::Count,
        &["provider"],
        "How many fetches have failed since one succeeded.",
    ),
    gauge(
        CERTIFICATE_EXPIRY,
        Unit::Seconds,
        &["provider"],
        "How long until the client certificate expires; negative after it. Absent without a certificate.",
    ),
    gauge(
        STORE_BYPASSED,
        Unit::Count,
        &["provider"],
        "1 while the replica fetches by itself because the shared store is down, else 0. Absent if the source shares nothing.",
    ),
    counter(
        STORE_BYPASSES,
        Unit::Count,
        &["provider"],
        "Attempts that were made without the shared store, because it was down.",
    ),
    counter(
        STORE_FAILURES,
        Unit::Count,
        &["provider"],
        "Operations of the shared store that failed or took too long.",
    ),
    counter(
        STORE_LEASES,
        Unit::Count,
        &["provider"],
        "Leases of the shared store that were granted to this replica: it fetches for all.",
    ),
    gauge(
        ENDPOINT_WAITING,
        Unit::Count,
        &["endpoint"],
        "Fetches that wait for their turn at a shared token endpoint.",
    ),
    gauge(
        ENDPOINT_UNDER_WAY,
        Unit::Count,
        &["endpoint"],
        "Attempts under way at a shared token endpoint.",
    ),
    gauge(
        ENDPOINT_PAUSE,
        Unit::Seconds,
        &["endpoint"],
        "How long a shared token endpoint is still paused for all its clients. 0 if it is not.",
    ),
    counter(
        ENDPOINT_ATTEMPTS,
        Unit::Count,
        &["endpoint"],
        "Attempts at a shared token endpoint.",
    ),
    counter(
        ENDPOINT_PAUSES,
        Unit::Count,
        &["endpoint"],
        "Pauses of a shared token endpoint.",
    ),
    gauge(
        POOL_SOURCES,
        Unit::Count,
        &["pool", "state"],
        "Sources in a pool. `state`: `missing`, `fresh`, `stale`, `suspended` or `expired`.",
    ),
    gauge(
        POOL_FAILING,
        Unit::Count,
        &["pool", "class"],
        "Sources in a pool whose last fetch failed. `class`: `permanent` or `other`.",
    ),
    gauge(
        POOL_CAPACITY,
        Unit::Count,
        &["pool"],
        "How many sources a pool keeps when it is full.",
    ),
    counter(
        POOL_MADE,
        Unit::Count,
        &["pool", "outcome"],
        "Calls of the function that makes a pool's sources. `outcome`: `made` or `failed`.",
    ),
    counter(
        POOL_EVICTED,
        Unit::Count,
        &["pool", "reason"],
        "Sources that a pool dropped. `reason`: `idle` or `full`.",
    ),
];

type Labels = &'static [&'static str];

const fn counter(
    name: &'static str,
    unit: Unit,
    labels: Labels,
    description: &'static str,
) -> Metric {
    metric(name, MetricKind::Counter, unit, labels, description)
}

const fn gauge(
    name: &'static str,
    unit: Unit,
    labels: Labels,
    description: &'static str,
) -> Metric {
    metric(name, MetricKind::Gauge, unit, labels, description)
}

/// All of them measure time.
const fn histogram(name: &'static str, labels: Labels, description: &'static str) -> Metric {
    metric(
        name,
        MetricKind::Histogram,
        Unit::Seconds,
        labels,
        description,
    )
}

const fn metric(
    name: &'static str,
    kind: MetricKind,
    unit: Unit,
    labels: Labels,
    description: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        unit,
        labels,
        description,
    }
}

/// Gives the recorder the description of every metric. Call it once, after the recorder is installed.
///
/// # Examples
///
/// See [the module](self).
pub fn describe() {
    for metric in ALL {
        let (name, unit, text) = (metric.name, metric.unit, metric.description);
        match metric.kind {
            MetricKind::Counter => describe_counter!(name, unit, text),
            MetricKind::Gauge => describe_gauge!(name, unit, text),
            MetricKind::Histogram => describe_histogram!(name, unit, text),
        }
    }
}
