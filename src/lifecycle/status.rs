//! The state of a source, for health pages, metrics and logs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::{
    cell::{Issued, Phase},
    core::Core,
    state::FailedFetch,
};
use crate::error::{FailureClass, OAuthError, OAuthErrorKind};
use crate::{
    sharing::{Sharing, SharingStatus},
    token::{FetchCause, ObtainedFrom},
};

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
/// assert_eq!(page["counters"]["attempts"], 0);
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The source's name.
    pub name: String,
    /// When this was seen, by the source's wall clock. Measure the other moments from here.
    #[serde(serialize_with = "moment_as_timestamp")]
    pub at: SystemTime,
    /// What a request would find.
    pub state: SourceState,
    /// The current token's generation.
    pub generation: Option<u64>,
    /// When the life of the current token began; `None` without a token.
    #[serde(serialize_with = "as_timestamp")]
    pub issued_at: Option<SystemTime>,
    /// The whole lifetime of the current token, from `issued_at`; `None` without a token.
    #[serde(rename = "lifetime_s", serialize_with = "as_seconds")]
    pub lifetime: Option<Duration>,
    /// How long until the current token expires; `None` without a token.
    #[serde(rename = "expires_in_s", serialize_with = "as_seconds")]
    pub expires_in: Option<Duration>,
    /// Where the current token came from: the endpoint, or a store that replicas share.
    pub obtained_from: Option<ObtainedFrom>,
    /// What the source shares with other replicas; `None` if it shares nothing.
    pub sharing: Option<SharingStatus>,
    /// Whether a fetch is under way.
    pub fetching: bool,
    /// When the last successful fetch ended.
    #[serde(serialize_with = "as_timestamp")]
    pub last_success: Option<SystemTime>,
    /// How long the last fetch took, with all its attempts, whether it succeeded or failed.
    #[serde(rename = "last_fetch_duration_s", serialize_with = "as_seconds")]
    pub last_fetch_duration: Option<Duration>,
    /// The text of the last fetch's error, as its requests got it. It stays until a fetch succeeds, also without
    /// traffic and after the back-off. If the source was shut down, it says so.
    pub error: Option<String>,
    /// More about the last fetch, if it failed. It stays until a fetch succeeds.
    pub last_failure: Option<LastFailure>,
    /// When the next attempt may be made, while the source backs off.
    #[serde(serialize_with = "as_timestamp")]
    pub retry_at: Option<SystemTime>,
    /// Whether the source is closed for good: it was shut down, or its fetcher's `poll_ready` failed.
    pub closed: bool,
    /// The client certificate that fetches show; `None` if the source was given no `Identity` (feature `rustls`).
    pub certificate: Option<CertificateStatus>,
    /// Counts since the source was built.
    pub counters: Counters,
    /// The name in metrics, if it is another.
    #[cfg(feature = "metrics")]
    #[serde(skip)]
    pub(super) metrics_name: Option<Arc<str>>,
}

/// A client certificate in use.
///
/// # Examples
///
/// ```
/// # #[cfg(all(feature = "rustls", feature = "testing-tls"))]
/// # fn main() -> Result<(), tower_oauth::BoxError> {
/// use tower_oauth::{identity::Identity, testing::Authority};
///
/// let issued = Authority::new()?.client("me")?;
/// let pem = format!("{}{}", issued.certificate_pem(), issued.key_pem());
/// let certificate = Identity::pem(pem).build()?.certificate();
/// println!("{} is valid until {:?}", certificate.serial, certificate.not_after);
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "rustls", feature = "testing-tls")))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CertificateStatus {
    /// The serial number in hexadecimal, as `openssl x509 -serial` prints it.
    pub serial: String,
    /// From when on it is valid.
    #[serde(serialize_with = "moment_as_timestamp")]
    pub not_before: SystemTime,
    /// Until when it is valid.
    #[serde(serialize_with = "moment_as_timestamp")]
    pub not_after: SystemTime,
}

/// The fetch that failed last, until one succeeds.
///
/// # Examples
///
/// ```
/// # use tower::service_fn;
/// # use tower_oauth::{BoxError, FailureClass, FetchError, OAuthErrorKind, Token, TokenRequest, TokenSource};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// # let fetcher = service_fn(async |_: TokenRequest| Err::<Token, _>(FetchError::unclear("no lease")));
/// # let source = TokenSource::builder(fetcher).build()?;
/// source.token().await.unwrap_err();
/// tokio::time::sleep(std::time::Duration::from_secs(3600)).await; // long after the back-off
/// let failure = source.status().last_failure.expect("nothing has succeeded since");
/// assert_eq!((failure.class, failure.kind), (FailureClass::Unclear, OAuthErrorKind::Fetcher));
/// assert_eq!((failure.attempts, failure.consecutive), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LastFailure {
    /// When it failed.
    #[serde(serialize_with = "moment_as_timestamp")]
    pub at: SystemTime,
    /// How the failure is treated: a [permanent](FailureClass::Permanent) one does not pass by itself.
    pub class: FailureClass,
    /// What went wrong.
    pub kind: OAuthErrorKind,
    /// How many attempts the fetch made.
    pub attempts: u32,
    /// How many fetches have failed since one succeeded, this one included.
    pub consecutive: u32,
    /// What went wrong, in one line: [`OAuthError::summary`].
    pub summary: String,
    /// What to do about it, in one sentence without its full stop, if the failure shows it.
    pub advice: Option<String>,
}

impl LastFailure {
    fn of(failed: &FailedFetch) -> Self {
        let error = &failed.error;
        Self {
            at: failed.at,
            class: error.class().unwrap_or(FailureClass::Unclear),
            kind: error.kind(),
            attempts: error.attempts(),
            consecutive: failed.consecutive,
            summary: error.summary(),
            advice: error.advice().map(str::to_owned),
        }
    }
}

/// What a request would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceState {
    /// No token has been fetched yet.
    Missing,
    /// A token that is not due for refresh.
    Fresh,
    /// A token that is used while it is refreshed behind the requests.
    Stale,
    /// A token that the API rejected; requests wait for the next one, at most
    /// [`suspended_wait`](crate::Policy::rejection).
    Suspended,
    /// A token that has expired, or will within the leeway.
    Expired,
}

impl SourceState {
    /// Whether a request would get a token without waiting.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale)
    }
}

/// Counts since the source was built; [`Status::counters`] holds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Attempts to get a token, retries included. In a source that shares its token, those that the store answered
    /// count too.
    pub attempts: u64,
    /// Those of them that failed. They are counted when their fetch has ended.
    pub failures: u64,
    /// Fetches, each of one or more token requests, that were started.
    pub fetches: u64,
    /// Those of them that were started before the token's expiry, behind the requests.
    pub refreshes_ahead: u64,
    /// Fetches that took the token from a store that replicas share. Each is a token request that was not sent.
    pub from_store: u64,
    /// Responses that counted as a rejection of the token.
    pub rejections: u64,
    /// Requests that were sent once more with a newer token.
    pub retries: u64,
}

/// The counters behind [`Counters`]. Relaxed: each is read alone, and no decision depends on them.
#[derive(Debug, Default)]
pub(crate) struct AtomicCounters {
    pub(crate) attempts: AtomicU64,
    pub(crate) from_store: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) fetches: AtomicU64,
    pub(crate) refreshes_ahead: AtomicU64,
    pub(crate) rejections: AtomicU64,
    pub(crate) retries: AtomicU64,
}

impl AtomicCounters {
    pub(crate) fn count(counter: &AtomicU64) {
        Self::add(counter, 1);
    }

    pub(crate) fn add(counter: &AtomicU64, number: u32) {
        counter.fetch_add(number.into(), Ordering::Relaxed);
    }

    pub(crate) fn count_fetch(&self, cause: FetchCause) {
        Self::count(&self.fetches);
        if cause == FetchCause::Ahead {
            Self::count(&self.refreshes_ahead);
        }
    }

    fn snapshot(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            attempts: read(&self.attempts),
            from_store: read(&self.from_store),
            failures: read(&self.failures),
            fetches: read(&self.fetches),
            refreshes_ahead: read(&self.refreshes_ahead),
            rejections: read(&self.rejections),
            retries: read(&self.retries),
        }
    }
}

/// What one step of the state shows. The cell is read in the same step, so that a new token is never shown beside the
/// failure that it ended.
struct Seen {
    current: Option<Arc<Issued>>,
    fetching: bool,
    blocked: Option<OAuthError>,
    /// Whether a request would still wait for a suspended token's replacement.
    waits: bool,
    failed: Option<FailedFetch>,
    last_success: Option<SystemTime>,
    last_duration: Option<Duration>,
}

impl Status {
    pub(crate) fn of(core: &Core) -> Self {
        let now = core.now();
        let seen = core.step(|state| Seen {
            current: core.cell.get(),
            fetching: state.is_fetching(),
            blocked: state.blocked(now),
            waits: !state.suspension_left(now).is_zero(),
            failed: state.last_failure().cloned(),
            last_success: state.last_success(),
            last_duration: state.last_duration(),
        });
        let current = seen.current.as_deref();
        let failed = seen.failed.as_ref();
        let error = seen.blocked.as_ref().or(failed.map(|failed| &failed.error));
        Self {
            name: core.config.name.to_string(),
            at: now.wall_time(),
            state: current.map_or(SourceState::Missing, |issued| {
                state_of(issued, now, seen.waits)
            }),
            generation: current.map(|issued| issued.generation.get()),
            issued_at: current.map(|issued| issued.issued_at),
            lifetime: current.map(|issued| issued.lifetime),
            expires_in: current.map(|issued| issued.expires_at.remaining(now)),
            obtained_from: current.map(|issued| issued.token.obtained_from()),
            sharing: core.config.sharing.as_ref().map(Sharing::status),
            fetching: seen.fetching,
            last_success: seen.last_success,
            last_fetch_duration: seen.last_duration,
            error: error.map(ToString::to_string),
            last_failure: failed.map(LastFailure::of),
            retry_at: seen.blocked.as_ref().and_then(OAuthError::retry_at),
            closed: seen.blocked.as_ref().is_some_and(OAuthError::is_closed),
            certificate: core.config.certificate.as_ref().map(|it| it.status()),
            counters: core.counters.snapshot(),
            #[cfg(feature = "metrics")]
            metrics_name: core.config.metrics_name.clone(),
        }
    }
}

/// A source among many, without its texts.
#[cfg(feature = "pool")]
pub(crate) struct Summary {
    pub(crate) state: SourceState,
    pub(crate) fetching: bool,
    /// The class of the last fetch's failure, and how many have failed in a row.
    pub(crate) failing: Option<(FailureClass, u32)>,
}

#[cfg(feature = "pool")]
impl Summary {
    pub(super) fn of(core: &Core) -> Self {
        let now = core.now();
        core.step(|state| {
            let waits = !state.suspension_left(now).is_zero();
            let current = core.cell.get();
            let failing = state.last_failure().map(|failed| {
                let class = failed.error.class().unwrap_or(FailureClass::Unclear);
                (class, failed.consecutive)
            });
            Self {
                state: current.map_or(SourceState::Missing, |issued| state_of(&issued, now, waits)),
                fetching: state.is_fetching(),
                failing,
            }
        })
    }
}

/// `waits`: a request would still wait for a suspended token's replacement.
fn state_of(issued: &Issued, now: super::clock::Now, waits: bool) -> SourceState {
    match issued.phase(now) {
        Phase::Fresh => SourceState::Fresh,
        Phase::Suspended if !waits => SourceState::Stale,
        Phase::Stale => SourceState::Stale,
        Phase::Suspended => SourceState::Suspended,
        Phase::Expired => SourceState::Expired,
    }
}

pub(super) fn as_seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|it| it.as_secs_f64()).serialize(serializer)
}

pub(super) fn as_timestamp<S: serde::Serializer>(
    at: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    at.and_then(|at| jiff::Timestamp::try_from(at).ok())
        .map(|at| format!("{at:.3}"))
        .serialize(serializer)
}

fn moment_as_timestamp<S: serde::Serializer>(
    at: &SystemTime,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    as_timestamp(&Some(*at), serializer)
}
