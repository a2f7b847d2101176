//! What a source says about itself.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tokio::sync::watch;

use super::{
    cell::{Issued, Phase},
    core::Core,
    handle::Handle,
};
use crate::token::FetchCause;

/// A source's state at one moment, for health pages, metrics and logs. It holds no secret.
///
/// It serializes to a table of words and numbers; durations are seconds, moments are RFC 3339.
///
/// # Examples
///
/// ```
/// # use tower::service_fn;
/// # use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
/// # let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
/// let source = TokenSource::builder(fetcher).name("vault").build()?;
/// let page = serde_json::to_value(source.status())?;
/// assert_eq!((&page["name"], &page["state"]), (&"vault".into(), &"missing".into()));
/// assert_eq!(page["counters"]["fetches"], 0);
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The source's name.
    pub name: String,
    /// What a request would find.
    pub state: SourceState,
    /// The current token's generation.
    pub generation: Option<u64>,
    /// How long the current token is still good, by its own word; `None` without a token.
    #[serde(rename = "expires_in_s", serialize_with = "as_seconds")]
    pub expires_in: Option<Duration>,
    /// Whether a fetch is under way.
    pub fetching: bool,
    /// Why no fetch may be made now: what the last one failed with, while the source backs off because of it; or that
    /// the source is closed.
    pub error: Option<String>,
    /// When the token endpoint may be asked again, while the source backs off.
    #[serde(serialize_with = "as_timestamp")]
    pub retry_at: Option<SystemTime>,
    /// Counts since the source was built.
    pub counters: CountersSnapshot,
}

/// What a request would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceState {
    /// No token has been fetched yet.
    Missing,
    /// A token that is not due for renewal.
    Fresh,
    /// A token that serves while it is renewed behind the requests.
    Stale,
    /// A token that the API refused; requests wait for the next one.
    Suspended,
    /// A token past its use.
    Expired,
}

impl SourceState {
    /// Whether a request would get a token without waiting.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale)
    }
}

/// Counts since the source was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CountersSnapshot {
    /// Token requests sent, retries included.
    pub fetches: u64,
    /// Those of them that failed; counted when the fetch they belong to has ended.
    pub failures: u64,
    /// Fetches, each of one or more token requests, that were started.
    pub flights: u64,
    /// Those of them that were started before the token's expiry, behind the requests.
    pub refreshes_ahead: u64,
    /// Responses that counted as a refusal of the token.
    pub rejections: u64,
    /// Requests that were sent once more with a newer token.
    pub replays: u64,
}

/// The counters themselves. Relaxed: each is read on its own, and nothing is decided by them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) fetches: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) flights: AtomicU64,
    pub(crate) refreshes_ahead: AtomicU64,
    pub(crate) rejections: AtomicU64,
    pub(crate) replays: AtomicU64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        Self::add(counter, 1);
    }

    pub(crate) fn add(counter: &AtomicU64, number: u32) {
        counter.fetch_add(number.into(), Ordering::Relaxed);
    }

    pub(crate) fn count_flight(&self, cause: FetchCause) {
        Self::count(&self.flights);
        if cause == FetchCause::Ahead {
            Self::count(&self.refreshes_ahead);
        }
    }

    fn snapshot(&self) -> CountersSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CountersSnapshot {
            fetches: read(&self.fetches),
            failures: read(&self.failures),
            flights: read(&self.flights),
            refreshes_ahead: read(&self.refreshes_ahead),
            rejections: read(&self.rejections),
            replays: read(&self.replays),
        }
    }
}

impl Status {
    pub(crate) fn of(core: &Core) -> Self {
        let now = core.now();
        let (fetching, barred) = core.step(|state| (state.is_fetching(), state.barred(now)));
        let current = core.cell.get();
        Self {
            name: core.name.to_string(),
            state: current
                .as_deref()
                .map_or(SourceState::Missing, |issued| state_of(issued, now)),
            generation: current.as_deref().map(|issued| issued.generation.get()),
            expires_in: current
                .as_deref()
                .map(|issued| issued.expires_at.remaining(now)),
            fetching,
            error: barred.as_ref().map(ToString::to_string),
            retry_at: barred.and_then(|error| error.retry_at()),
            counters: core.counters.snapshot(),
        }
    }
}

fn state_of(issued: &Issued, now: super::clock::Now) -> SourceState {
    match issued.phase(now) {
        Phase::Fresh => SourceState::Fresh,
        Phase::Stale => SourceState::Stale,
        Phase::Suspended => SourceState::Suspended,
        Phase::Expired => SourceState::Expired,
    }
}

/// The changes of a source, one at a time: a token came, a fetch failed, a token was refused, the source was shut
/// down.
///
/// It does not keep the source alive. Changes that come faster than they are read are seen as one.
#[derive(Debug)]
pub struct Changes {
    source: Weak<Handle>,
    changed: watch::Receiver<()>,
}

impl Changes {
    pub(crate) fn new(source: Weak<Handle>, changed: watch::Receiver<()>) -> Self {
        Self { source, changed }
    }

    /// Waits for the next change; `None` once the source is gone or shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a change that was not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Status> {
        self.source()?;
        self.changed.changed().await.ok()?;
        self.source().map(|source| Status::of(&source.core))
    }

    /// The source, unless it has ended.
    fn source(&self) -> Option<Arc<Handle>> {
        let source = self.source.upgrade()?;
        (!source.is_shut_down()).then_some(source)
    }
}

fn as_seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|it| it.as_secs_f64()).serialize(serializer)
}

fn as_timestamp<S: serde::Serializer>(
    at: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    at.and_then(|at| jiff::Timestamp::try_from(at).ok())
        .map(|at| format!("{at:.3}"))
        .serialize(serializer)
}
