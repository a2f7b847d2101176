//! Whether a service can go on, can serve, and has something to fix.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use serde::Serialize;

use super::{
    source::TokenSource,
    status::{CertificateStatus, LastFailure, SourceState, Status, as_timestamp},
};
use crate::error::OAuthErrorKind;

/// A certificate ends soon when a tenth of its validity is left, but not earlier than this before its end.
const LONGEST_NOTICE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Whether a service is live, ready and degraded, from the state of its token sources.
///
/// - **Live**: the process can go on. It is false only if a required source is closed for good, which a restart fixes. A
///   bank that is down does not fail it: a restart would help nobody, and would lose the tokens that still work.
/// - **Ready**: a request would get a token from every required source, at once or after a fetch that may start now.
/// - **Degraded**: a source has an [issue](HealthIssue). Alert on it; do not answer a probe with it.
///
/// | token | its last fetch | the source | live | ready | issue |
/// |---|---|---|---|---|---|
/// | usable | succeeded | is open | yes | yes | |
/// | usable | failed | is open | yes | yes: requests use the token | [`RefreshFailing`](HealthIssueKind::RefreshFailing) |
/// | suspended after a rejection | | fetches the next one | yes | yes: requests wait, at most `suspended_wait` | [`Rejected`](HealthIssueKind::Rejected) |
/// | none, or expired | none, or succeeded | is idle | yes | yes: the next request fetches | |
/// | none, or expired | none, or succeeded | fetches | yes | yes: requests wait for the token | |
/// | none, or expired | failed | backs off | yes | **no**: requests fail at once | [`NoToken`](HealthIssueKind::NoToken) |
/// | none, or expired | failed | fetches again | yes | **no**, until the fetch succeeds | `NoToken` |
/// | none, or expired | failed | is idle after its back-off | yes | yes: only a request would find out | `NoToken` |
/// | usable | | is closed | **no** | yes, until the token expires | [`Closed`](HealthIssueKind::Closed) |
/// | none, or expired | | is closed | **no** | **no** | `Closed` |
///
/// A certificate that has expired or ends soon, and a shared store that is bypassed, are issues that change neither
/// live nor ready.
///
/// Looking costs a lock per source and fetches nothing. So a service that has just started is ready: otherwise no
/// request would come, and no token would ever be fetched. To have the first token before the first request, await
/// [`TokenSource::ready`] before you listen. To learn of the end of an outage without requests, spawn
/// [`TokenSource::keep_fresh`].
///
/// # When not to use it
///
/// Readiness takes the whole service out of traffic. Require only a source without which no request can be answered,
/// and add the others with [`with_optional`](Self::with_optional). A source that you shut down while the service runs
/// belongs to the optional ones too. Of a pool, add the worst: `with_optional(pool.status().worst)`.
///
/// # JSON
///
/// It serializes to `live`, `ready`, `degraded` and `sources`. It holds no secret, but error texts with details of your
/// account at the bank: show it to operators, and answer public probes with the status alone.
///
/// # Examples
///
/// ```
/// # use http::StatusCode;
/// # use tower::service_fn;
/// # use tower_oauth::{BoxError, FetchError, Health, HealthIssueKind, Token, TokenRequest, TokenSource};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// # let fetcher = service_fn(async |_: TokenRequest| Err::<Token, _>(FetchError::unclear("no lease")));
/// # let (payments, reports) = (fetcher.clone(), fetcher);
/// let payments = TokenSource::builder(payments).name("payments").build()?;
/// let reports = TokenSource::builder(reports).name("reports").build()?;
/// let health = || Health::of([&payments]).with_optional([&reports]);
/// assert_eq!(health().ready_status(), StatusCode::OK);
///
/// payments.token().await.unwrap_err(); // it fails, and the source backs off
/// assert_eq!(health().ready_status(), StatusCode::SERVICE_UNAVAILABLE);
/// assert_eq!(health().live_status(), StatusCode::OK);
/// assert_eq!(health().sources[0].issues[0].kind, HealthIssueKind::NoToken);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether the process can go on.
    pub live: bool,
    /// Whether a request would get a token from every required source.
    pub ready: bool,
    /// Whether a source has an issue, required or not.
    pub degraded: bool,
    /// The sources, the required ones first.
    pub sources: Vec<SourceHealth>,
}

/// The health of one source; [`Health::sources`] holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SourceHealth {
    /// The source's name.
    pub name: String,
    /// Whether the service's `live` and `ready` rest on it.
    pub required: bool,
    /// Whether the source can go on: it is not closed.
    pub live: bool,
    /// Whether a request would get a token.
    pub ready: bool,
    /// What somebody should look at.
    pub issues: Vec<HealthIssue>,
}

/// Something about a source that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HealthIssue {
    /// What it is.
    pub kind: HealthIssueKind,
    /// What happened, in one line. After a failed fetch it is the error's [summary](crate::OAuthError::summary).
    pub text: String,
    /// What to do about it, in one sentence without its full stop, if that is known.
    pub advice: Option<String>,
    /// When the source may fetch again, while it backs off.
    #[serde(serialize_with = "as_timestamp")]
    pub retry_at: Option<SystemTime>,
}

/// What an issue is about, as a word for JSON and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HealthIssueKind {
    /// `closed`: the source was shut down, or its fetcher's `poll_ready` failed. Only a new source helps.
    Closed,
    /// `no_token`: there is no usable token, and the last fetch failed.
    NoToken,
    /// `refresh_failing`: the token is usable, and the last fetch failed.
    RefreshFailing,
    /// `rejected`: the API rejected the token, and requests wait for the next one.
    Rejected,
    /// `certificate_expired`: the client certificate has expired.
    CertificateExpired,
    /// `certificate_ends_soon`: a tenth of the client certificate's validity is left, or two weeks if that is less.
    CertificateEndsSoon,
    /// `store_bypassed`: the store that replicas share is down, and this one fetches by itself.
    StoreBypassed,
}

impl Health {
    /// Returns the health of a service that needs all of these sources. It takes sources, or each one's [`Status`].
    pub fn of(required: impl IntoIterator<Item = impl Into<Status>>) -> Self {
        let healthy = Self {
            live: true,
            ready: true,
            degraded: false,
            sources: Vec::new(),
        };
        healthy.with(required, true)
    }

    /// Adds sources that the service can do without. They count for `degraded` only.
    pub fn with_optional(self, optional: impl IntoIterator<Item = impl Into<Status>>) -> Self {
        self.with(optional, false)
    }

    /// Returns the answer to a liveness probe: 200, or 503 if the process must be restarted.
    pub fn live_status(&self) -> StatusCode {
        status_for(self.live)
    }

    /// Returns the answer to a readiness probe: 200, also if the service is degraded, or 503 if it should get no
    /// requests now.
    pub fn ready_status(&self) -> StatusCode {
        status_for(self.ready)
    }

    fn with(
        mut self,
        sources: impl IntoIterator<Item = impl Into<Status>>,
        required: bool,
    ) -> Self {
        for status in sources {
            let source = SourceHealth::of(&status.into(), required);
            self.live &= source.live || !required;
            self.ready &= source.ready || !required;
            self.degraded |= !source.issues.is_empty();
            self.sources.push(source);
        }
        self
    }
}

fn status_for(good: bool) -> StatusCode {
    match good {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl SourceHealth {
    fn of(status: &Status, required: bool) -> Self {
        let issues = [fetching(status), certificate(status), store(status)];
        Self {
            name: status.name.clone(),
            required,
            live: !status.closed,
            ready: is_ready(status),
            issues: issues.into_iter().flatten().collect(),
        }
    }
}

/// After a failure, a fetch under way proves nothing yet: with an endpoint that hangs, readiness would otherwise come
/// and go. Once the source is idle it must count as ready, since only a request starts the next fetch.
fn is_ready(status: &Status) -> bool {
    match status.state {
        SourceState::Fresh | SourceState::Stale | SourceState::Suspended => true,
        SourceState::Missing | SourceState::Expired => {
            let failed = status.last_failure.is_some();
            let failing = failed && (status.retry_at.is_some() || status.fetching);
            !status.closed && !failing
        }
    }
}

/// The worst that can be said about the source's fetches.
fn fetching(status: &Status) -> Option<HealthIssue> {
    if status.closed {
        let advice = "Restart the process, or build a new source";
        return Some(
            HealthIssue::new(HealthIssueKind::Closed, closing(status)).with_advice(advice),
        );
    }
    if status.state == SourceState::Suspended {
        let text = "the API rejected the token, and requests wait for the next one";
        return Some(HealthIssue::new(HealthIssueKind::Rejected, text));
    }
    let failure = status.last_failure.as_ref()?;
    let kind = match status.state.is_usable() {
        true => HealthIssueKind::RefreshFailing,
        false => HealthIssueKind::NoToken,
    };
    Some(HealthIssue::failed(kind, failure, status.retry_at))
}

/// Why the source is closed. A source that was shut down may have failed before.
fn closing(status: &Status) -> String {
    let failure = status.last_failure.as_ref();
    let closed = failure.filter(|it| it.kind == OAuthErrorKind::Closed);
    let text = closed.map(|it| &it.summary).or(status.error.as_ref());
    text.cloned().unwrap_or_default()
}

fn certificate(status: &Status) -> Option<HealthIssue> {
    let certificate = status.certificate.as_ref()?;
    let left = certificate.not_after.duration_since(status.at).ok();
    let (kind, what) = match left {
        None => (HealthIssueKind::CertificateExpired, "has expired"),
        Some(left) if left <= notice(certificate) => {
            (HealthIssueKind::CertificateEndsSoon, "ends soon")
        }
        Some(_) => return None,
    };
    let text = format!("the client certificate {} {what}", certificate.serial);
    let advice = "Put a renewed certificate where the identity reads it";
    Some(HealthIssue::new(kind, text).with_advice(advice))
}

fn notice(certificate: &CertificateStatus) -> Duration {
    let validity = certificate.not_after.duration_since(certificate.not_before);
    (validity.unwrap_or_default() / 10).min(LONGEST_NOTICE)
}

fn store(status: &Status) -> Option<HealthIssue> {
    status.sharing.as_ref().filter(|it| it.bypassed)?;
    let text = "the shared store is down, and this replica fetches by itself";
    let advice = "Look at the store, and at the log for its error";
    Some(HealthIssue::new(HealthIssueKind::StoreBypassed, text).with_advice(advice))
}

impl HealthIssue {
    fn new(kind: HealthIssueKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            advice: None,
            retry_at: None,
        }
    }

    fn failed(kind: HealthIssueKind, failure: &LastFailure, retry_at: Option<SystemTime>) -> Self {
        Self {
            kind,
            text: failure.summary.clone(),
            advice: failure.advice.clone(),
            retry_at,
        }
    }

    fn with_advice(mut self, advice: &str) -> Self {
        self.advice = Some(advice.to_owned());
        self
    }
}

impl HealthIssueKind {
    /// Returns the word for logs, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::NoToken => "no_token",
            Self::RefreshFailing => "refresh_failing",
            Self::Rejected => "rejected",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateEndsSoon => "certificate_ends_soon",
            Self::StoreBypassed => "store_bypassed",
        }
    }
}

impl fmt::Display for HealthIssueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&TokenSource> for Status {
    fn from(source: &TokenSource) -> Self {
        source.status()
    }
}

#[cfg(test)]
mod tests {
    use super::HealthIssueKind::*;

    #[test]
    fn json_has_the_words_of_as_str() {
        for kind in [
            Closed,
            NoToken,
            RefreshFailing,
            Rejected,
            CertificateExpired,
            CertificateEndsSoon,
            StoreBypassed,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.to_string(), kind.as_str());
        }
    }
}
