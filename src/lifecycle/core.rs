//! What all handles of one source share.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    bound::{Bound, WAITER_GRACE},
    cell::{Cell, Issued, Phase, TokenState},
    clock::{Clock, Now},
    credential::CredentialCheck,
    endpoint::TokenEndpoint,
    fetch::{Driver, Fetcher, Outcome},
    prepared::PreparedToken,
    source::WeakTokenSource,
    state::{FetchGrant, RejectedResponse, Remedy, State, Stopped},
    status::{AtomicCounters, CertificateStatus},
    sync::{AtomicU64, Mutex, OnceLock, Ordering},
};
use crate::{
    duration::nanos,
    error::{CHECK_NETWORK, FetchError, OAuthError, Reason},
    headers::TokenHeaders,
    origin::AllowedOrigins,
    policy::Policy,
    rejection::{Rejection, RejectionRule},
    sharing::Sharing,
    token::{FetchCause, Generation},
};

/// # Lock order
///
/// `state` is not held while a waker or a user's code runs, or another lock is taken: notifications happen after it is
/// released. It may be taken while `fetcher` is held. `fetcher` is held while the user's code runs, so no task waits
/// for that lock: tasks only try to take it.
pub struct Core {
    pub(crate) config: Config,
    pub(crate) cell: Cell,
    pub(crate) counters: AtomicCounters,
    /// Made when somebody first subscribes: it takes 350 bytes, and most of many sources have no subscriber.
    changes: OnceLock<watch::Sender<()>>,
    /// `None` after it closed. It stays here, and the driver of a fetch calls it.
    pub(super) fetcher: Mutex<Option<Fetcher>>,
    state: Mutex<State>,
    /// [`State::refresh_closed_until`] in nanoseconds, so that requests with a stale token take no lock while no
    /// refresh can start. It may lag behind the state, which decides.
    refresh_closed_until: AtomicU64,
    /// [`State::suspect`], or [`State::replacement`] before its first success; 0 for none. And when it last succeeded,
    /// in nanoseconds on the monotonic clock.
    suspect: AtomicU64,
    last_success: AtomicU64,
    /// How often a refresh was asked for.
    refreshes_asked: AtomicU64,
    /// The last generation that a success was recorded for; 0 for none.
    accepted: AtomicU64,
}

/// The configuration. The builder fills it, and nothing changes it afterwards.
pub(crate) struct Config {
    pub(crate) name: Arc<str>,
    /// The name in metrics, if it is another.
    #[cfg(feature = "metrics")]
    pub(crate) metrics_name: Option<Arc<str>>,
    /// Host and port of the token endpoint, if they are known.
    pub(crate) place: Option<Arc<str>>,
    /// What the source shares with the others of its token endpoint.
    pub(crate) endpoint: Option<TokenEndpoint>,
    /// Shared by all sources with the same numbers that were built from the same dialect.
    pub(crate) policy: Arc<Policy>,
    pub(crate) clock: Clock,
    pub(crate) headers: TokenHeaders,
    pub(crate) origins: AllowedOrigins,
    pub(crate) rejection: RejectionRule,
    /// What the client shows when it fetches, if the source knows it.
    pub(crate) certificate: Option<Arc<dyn CertificateInUse>>,
    /// How to find out that a denied credential was replaced, if the fetcher knows.
    pub(crate) credential: Option<CredentialCheck>,
    /// What the fetcher shares with other replicas, for the status.
    pub(crate) sharing: Option<Sharing>,
}

/// A client certificate that tokens may be bound to (RFC 8705), and that can change while the source runs.
pub(crate) trait CertificateInUse: Send + Sync {
    /// Greater with each change. It changes only once the new certificate is the one in use.
    fn version(&self) -> u64;

    fn status(&self) -> CertificateStatus;

    /// Starts the task that notices changes, if none runs, on the runtime of the caller.
    fn watch(&self);

    /// Calls [`WeakTokenSource::refresh_outdated`] after each change, until the source is gone.
    fn notify(&self, source: WeakTokenSource);
}

/// A token that a fetch has put into the cell.
pub(crate) struct Installed {
    pub(crate) issued: Arc<Issued>,
    /// The endpoint returned the token that was current before.
    pub(crate) repeated: bool,
}

/// What a request does that found no usable token.
pub(crate) enum TokenOrFetch {
    Token(Arc<Issued>),
    /// It was suspended, and the wait for its replacement is over.
    Restored(Arc<Issued>),
    Fetch {
        grant: FetchGrant,
        /// The longest wait, if a suspended token can be used after it.
        wait: Option<Duration>,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "oauth".into(),
            #[cfg(feature = "metrics")]
            metrics_name: None,
            place: None,
            endpoint: None,
            policy: Policy::shared_default(),
            clock: Clock::system(),
            headers: TokenHeaders::bearer(),
            origins: AllowedOrigins::default(),
            rejection: RejectionRule::default(),
            certificate: None,
            credential: None,
            sharing: None,
        }
    }
}

impl Core {
    pub(crate) fn new(config: Config, fetcher: Fetcher, rng: fastrand::Rng) -> Self {
        Self {
            fetcher: Mutex::new(Some(fetcher)),
            state: Mutex::new(State::new(rng)),
            config,
            cell: Cell::default(),
            counters: AtomicCounters::default(),
            changes: OnceLock::default(),
            refresh_closed_until: AtomicU64::new(0),
            suspect: AtomicU64::new(0),
            last_success: AtomicU64::new(0),
            refreshes_asked: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Now {
        self.config.clock.now()
    }

    /// What a token rests on beside the source's own settings. A token from an attempt on a lower basis is outdated.
    ///
    /// # Why no change is missed
    ///
    /// An attempt reads its basis before it calls the fetcher, and a change raises the basis after it has taken effect.
    /// So an attempt that has the new basis uses what is new; one that used the old has the old basis, and its token is
    /// refreshed: by [`install`](Self::install) if it arrives after the change, by
    /// [`refresh_outdated`](Self::refresh_outdated), which follows each change, if it arrived before. Both hold the
    /// state's lock.
    pub(crate) fn basis(&self) -> u64 {
        let certificate = self.config.certificate.as_ref();
        let version = certificate.map_or(0, |it| it.version());
        version + self.refreshes_asked.load(Ordering::Acquire)
    }

    /// Makes the refresh of the current token due.
    pub(crate) fn refresh(self: &Arc<Self>) {
        self.refreshes_asked.fetch_add(1, Ordering::AcqRel);
        self.refresh_outdated();
    }

    /// Makes the refresh of the current token due if it is outdated, and starts it. Without a token that is in use
    /// there is nothing to refresh.
    pub(crate) fn refresh_outdated(self: &Arc<Self>) {
        let (now, basis) = (self.now(), self.basis());
        let is_due = self.step(|_| {
            let outdated = self
                .cell
                .get()
                .filter(|issued| issued.basis < basis && issued.phase(now) != Phase::Expired);
            outdated.map(|issued| self.cell.put(Arc::new(issued.due(now))))
        });
        if is_due.is_some() {
            self.refresh_behind();
            self.announce();
        }
    }

    /// How long a request waits for a token.
    pub(crate) fn patience(&self) -> Bound<'_> {
        Bound::new(
            &self.config.clock,
            self.config.policy.timeouts.acquire,
            WAITER_GRACE,
        )
    }

    pub(crate) fn error(&self, reason: Reason) -> OAuthError {
        OAuthError::new(self.config.name.clone(), reason, None)
    }

    /// The error of a fetch that failed now, after which the source backs off.
    pub(crate) fn failure(&self, reason: Reason, now: Now, back_off: Duration) -> OAuthError {
        let next = self.config.clock.next_attempt(now, back_off);
        OAuthError::new(self.config.name.clone(), reason, Some(next))
    }

    /// The token endpoint did not answer within a bound of the policy.
    pub(crate) fn timed_out(&self, bound: &str, length: Duration) -> FetchError {
        let error = FetchError::timed_out(format!(
            "the token endpoint did not answer within {bound}, {length:?}"
        ));
        match &self.config.place {
            Some(place) => error.at(place).with_advice(CHECK_NETWORK),
            None => error,
        }
    }

    /// Runs a step of the state under its lock, and mirrors what requests read without it.
    pub(crate) fn step<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = step(&mut state);
        self.mirror(&state);
        let ended = state.take_ended();
        drop(state);
        // The error may hold a user's value, and dropping it runs the user's code.
        drop(ended);
        result
    }

    fn mirror(&self, state: &State) {
        let closed_until = nanos(state.refresh_closed_until());
        let replacement = || state.replacement().filter(|it| !self.is_accepted(*it));
        let suspect = state
            .suspect()
            .or_else(replacement)
            .map_or(0, Generation::get);
        self.refresh_closed_until
            .store(closed_until, Ordering::Relaxed);
        self.suspect.store(suspect, Ordering::Relaxed);
    }

    /// Whether a refresh may start now.
    pub(crate) fn may_refresh(&self, now: Now) -> bool {
        nanos(now.monotonic) >= self.refresh_closed_until.load(Ordering::Relaxed)
    }

    /// Checks the cell again under the lock, which a fetch that succeeds holds too, before it asks for a fetch. So no
    /// needless fetch follows one that has just succeeded.
    ///
    /// The first request after the wait restores a suspended token here, for all requests.
    pub(crate) fn token_or_fetch(&self) -> TokenOrFetch {
        let now = self.now();
        self.step(|state| {
            let phase = self.phase(now);
            let wait = (phase == Some(Phase::Suspended)).then(|| state.suspension_left(now));
            match (cause(phase), self.cell.get()) {
                (FetchCause::Ahead, Some(issued)) => TokenOrFetch::Token(issued),
                (_, Some(issued)) if wait == Some(Duration::ZERO) => {
                    self.restore();
                    TokenOrFetch::Restored(issued)
                }
                (cause, _) => TokenOrFetch::Fetch {
                    grant: state.grant_fetch(cause, now, &self.config.policy),
                    wait,
                },
            }
        })
    }

    fn phase(&self, now: Now) -> Option<Phase> {
        self.cell.with(|issued| issued.phase(now))
    }

    /// Asks for a refresh without waiting for it, unless one has succeeded since the caller saw that it was due.
    pub(crate) fn grant_refresh(&self) -> Option<FetchGrant> {
        let now = self.now();
        self.step(|state| match self.phase(now) {
            Some(Phase::Fresh) => None,
            phase => Some(state.grant_fetch(cause(phase), now, &self.config.policy)),
        })
    }

    /// Decides which token a rejected request can be retried with.
    pub(crate) fn remedy(&self, generation: Generation, rejection: Rejection) -> Remedy {
        let now = self.now();
        let response = RejectedResponse {
            generation,
            rejection,
            last_success: Duration::from_nanos(self.last_success.load(Ordering::Relaxed)),
            accepted: self.is_accepted(generation),
        };
        self.step(|state| match self.cell.get() {
            Some(current) => state.rejected(&current, &response, now, &self.config.policy),
            None => Remedy::HandOn,
        })
    }

    /// Records a good answer, if this generation is in doubt.
    #[inline]
    pub(crate) fn succeeded(&self, generation: Generation) {
        if self.suspect.load(Ordering::Relaxed) == generation.get() {
            self.record_success(generation);
        }
    }

    #[cold]
    fn record_success(&self, generation: Generation) {
        let now = nanos(self.now().monotonic);
        self.last_success.fetch_max(now, Ordering::Relaxed);
        let before = self.accepted.swap(generation.get(), Ordering::Relaxed);
        if before != generation.get() {
            // Of a token that is not suspect, no further success is recorded.
            self.step(|_| ());
        }
    }

    fn is_accepted(&self, generation: Generation) -> bool {
        self.accepted.load(Ordering::Relaxed) == generation.get()
    }

    /// Forgets the recorded successes of this generation: the caller knows that the answers meant something else.
    pub(crate) fn forget_success(&self, generation: Generation) {
        let (accepted, none) = (generation.get(), 0);
        let _ =
            self.accepted
                .compare_exchange(accepted, none, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// How long requests can still use the current token without waiting.
    pub(crate) fn usable_for(&self) -> Duration {
        let now = self.now();
        let left = self.cell.with(|issued| match issued.phase(now) {
            Phase::Fresh | Phase::Stale => issued.use_until.remaining(now),
            Phase::Suspended | Phase::Expired => Duration::ZERO,
        });
        left.unwrap_or_default()
    }

    /// The current token if it has not expired, suspended or not.
    pub(crate) fn serviceable(&self) -> Option<Arc<Issued>> {
        let now = self.now();
        self.cell
            .get()
            .filter(|issued| issued.phase(now) != Phase::Expired)
    }

    /// Puts a token into the cell and ends the fetch, if this driver has it. The token is published first and the
    /// fetch's outcome last: a caller that sees that the fetch succeeded finds the token.
    pub(crate) fn install(&self, prepared: PreparedToken, driver: &Driver) -> Option<Installed> {
        let now = self.now();
        self.step(|state| {
            let cause = state.driven_by(driver)?.fetch().cause;
            let is_outdated = prepared.basis() < self.basis();
            let same = self.current_if_same(prepared.token());
            let repeated = same.is_some();
            let issued = match same {
                Some(current) => prepared.repeat(&current),
                None => prepared.issue(state.next_generation()),
            };
            let issued = Arc::new(match is_outdated {
                true => issued.due(now),
                false => issued,
            });
            self.cell.put(issued.clone());
            let installed = Installed { issued, repeated };
            state.succeeded(cause, &installed, now, &self.config.policy);
            Some(installed)
        })
    }

    /// Restores a suspended token, since there is no better one. Call it within a [`step`](Self::step).
    pub(crate) fn restore(&self) {
        self.cell.with(|issued| {
            if issued.token_state() == TokenState::Suspended {
                issued.set_token_state(TokenState::Restored);
            }
        });
    }

    /// Ends all background work and prevents new fetches. It restores a rejected token, because its replacement can no
    /// longer come.
    pub(crate) fn shut_down(&self) {
        let error = self.error(Reason::ShutDown);
        let stopped = self.step(|state| {
            self.restore();
            state.shut_down(error)
        });
        // Without the lock: an abort may drop the driver of the fetch at once, and its drop takes the lock.
        if let Some(Stopped { fetch, tasks }) = stopped {
            fetch.finish(Outcome::Lost);
            tasks.iter().for_each(|task| task.abort());
        }
        self.announce();
    }

    /// Reports a change to who has subscribed. Call it after the [`step`](Self::step) that made the change.
    pub(crate) fn announce(&self) {
        if let Some(changes) = self.changes.get() {
            changes.send_replace(());
        }
    }

    /// Receives the changes from now on.
    ///
    /// # Why no change is missed
    ///
    /// The sender is made before a step, and a change is announced after its step. If the change's step is the later
    /// one, its announcement finds the sender. If it is the earlier one, the caller sees the change itself, whatever it
    /// reads from now on. Without the step here, a caller that reads without the lock could miss both.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        let changes = self.changes.get_or_init(|| watch::Sender::new(()));
        let receiver = changes.subscribe();
        self.step(|_| ());
        receiver
    }
}

/// The cause of a fetch that starts while the current token is in this phase.
fn cause(current: Option<Phase>) -> FetchCause {
    match current {
        None => FetchCause::Missing,
        Some(Phase::Expired) => FetchCause::Expired,
        Some(Phase::Suspended) => FetchCause::Rejected,
        Some(Phase::Fresh | Phase::Stale) => FetchCause::Ahead,
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("name", &self.config.name)
            .finish_non_exhaustive()
    }
}
