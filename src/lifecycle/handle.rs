//! What one source does for the requests that hold it.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, Uri};

use super::{
    bound::Bound,
    cell::{Issued, IssuedToken, Phase},
    clock::Now,
    core::{Core, TokenOrFetch},
    fetch::{Fetch, Outcome},
    follow::{follow, start},
    state::{FetchGrant, Remedy},
    status::Counters,
    sync::{runtime, time},
    telemetry,
};
use crate::{
    error::{ConfigError, OAuthError, Reason},
    origin::Origin,
    rejection::{Rejection, RejectionRule},
    token::Generation,
};

/// Ends the source when the last one lets go of it: a [`TokenSource`](crate::TokenSource), or a request under way. Tasks
/// hold the core, never the handle.
#[derive(Debug)]
pub struct Handle {
    pub(super) core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.shut_down();
    }
}

/// When there may be something to do for a refresh.
pub(super) enum Due {
    In(Duration),
    /// When this fetch has landed.
    Fetching(Arc<Core>, Arc<Fetch>),
}

/// A rejected request that may be tried again: with the token that is there, or the one that this fetch brings.
pub(crate) struct Rejected {
    generation: Generation,
    rejection: Rejection,
    fetch: Option<Arc<Fetch>>,
}

impl Rejected {
    pub(crate) fn rejection(&self) -> Rejection {
        self.rejection
    }
}

impl Handle {
    pub(crate) fn is_shut_down(&self) -> bool {
        self.core.step(|state| state.is_shut_down())
    }

    /// Whether this URI may have the token.
    #[inline]
    pub(crate) fn permits(&self, uri: &Uri) -> Result<(), OAuthError> {
        let permitted = self.core.config.origins.permits(uri);
        permitted.map_err(|foreign| self.foreign_origin(foreign))
    }

    /// Whether this URL, which is what `reqwest` dials, may have the token.
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn permits_url(&self, url: &reqwest::Url) -> Result<(), OAuthError> {
        let permitted = self.core.config.origins.permits_url(url);
        permitted.map_err(|foreign| self.foreign_origin(foreign))
    }

    #[cold]
    pub(crate) fn foreign_origin(&self, rule: impl fmt::Display) -> OAuthError {
        let kind = Reason::ForeignOrigin(rule.to_string());
        self.core.error(kind)
    }

    pub(crate) fn permits_origin(&self, origin: &Origin) -> Result<(), ConfigError> {
        let permitted = self.core.config.origins.permits_target(Ok(origin.target()));
        permitted.map_err(|foreign| {
            ConfigError::new("relative_to", foreign.to_string()).of(&self.core.config.name)
        })
    }

    #[inline]
    pub(crate) fn rejection_rule(&self) -> &RejectionRule {
        &self.core.config.rejection
    }

    /// The hit path: puts the current token on a request if it may be used, and says which it was.
    ///
    /// # Why it needs no lock
    ///
    /// 1. One load finds the token, and everything about it hangs on that one pointer: headers, generation and instants
    ///    cannot be of two tokens. The guard keeps them until they have been copied.
    /// 2. The clocks are read after the token, so that it is judged by a time at which it was already there. Coarse ones
    ///    say no more than that it is fresh for longer than they lag; all else is decided by precise ones.
    /// 3. A rejection changes the mark on the token itself. A request that read the mark before is one that was sent
    ///    before the rejection was known.
    /// 4. A request writes the counts of its headers and of its hold, which belong to the thread's shard, and `ArcSwap`'s
    ///    note of the guard, which belongs to the thread. No other thread writes them unless threads share the shard.
    ///
    /// `models/publishing.rs` and `tests/middleware/hit_path.rs` show it.
    #[inline]
    pub(crate) fn attach(&self, headers: &mut HeaderMap) -> Option<Generation> {
        let clock = &self.core.config.clock;
        let attached = |issued: &Issued| {
            let serves =
                issued.is_surely_fresh(clock.coarse_now()) || self.serves(issued, clock.now());
            serves.then(|| issued.attach(headers))
        };
        self.core.cell.with(attached).flatten()
    }

    /// Attaches what [`acquire`](Self::acquire) handed out although it is suspended, if it still lives.
    pub(crate) fn attach_last_resort(
        &self,
        IssuedToken(issued): &IssuedToken,
        headers: &mut HeaderMap,
    ) -> Option<Generation> {
        let lives = issued.phase(self.core.now()) != Phase::Expired;
        lives.then(|| issued.attach(headers))
    }

    /// The current token if it may be used without waiting.
    pub(super) fn current(&self) -> Option<IssuedToken> {
        let now = self.core.now();
        let issued = self.core.cell.get()?;
        self.serves(&issued, now).then_some(IssuedToken(issued))
    }

    /// A request with this token was answered well.
    #[inline]
    pub(crate) fn succeeded(&self, generation: Generation) {
        self.core.succeeded(generation);
    }

    /// Whether a token may be attached without waiting; the first to see a stale one has it refreshed.
    #[inline]
    fn serves(&self, issued: &Issued, now: Now) -> bool {
        match issued.phase(now) {
            Phase::Fresh => true,
            Phase::Stale => {
                if self.core.may_refresh(now) {
                    self.refresh_behind();
                }
                true
            }
            Phase::Suspended | Phase::Expired => false,
        }
    }

    /// Starts what is due, and says when there may be something to do again.
    pub(super) fn refresh_if_due(&self) -> Due {
        let now = self.core.now();
        let current = self.core.cell.get();
        let due_in = current.as_deref().map(|issued| match issued.phase(now) {
            Phase::Fresh => issued.refresh_at.remaining(now),
            Phase::Stale | Phase::Suspended | Phase::Expired => Duration::ZERO,
        });
        match due_in {
            Some(wait) if !wait.is_zero() => return Due::In(wait),
            _ if self.core.may_refresh(now) => self.refresh_behind(),
            _ => {}
        }
        match self.core.step(|state| state.under_way()) {
            Some(fetch) => Due::Fetching(self.core.clone(), fetch),
            None => Due::In(self.back_off_left().unwrap_or(Duration::MAX)),
        }
    }

    /// Starts a refresh that nobody waits for, if there is a runtime to do it.
    pub(crate) fn refresh_behind(&self) {
        if runtime::Handle::try_current().is_err() {
            return;
        }
        if let Some(FetchGrant::Granted(fetch)) = self.core.grant_refresh() {
            // A runtime that is shutting down loses the fetch; the next request starts another.
            let _ = self.start(fetch);
        }
    }

    /// The slow path: waits for a token, at most `timeouts.acquire`. A token that it hands out suspended is the best to
    /// be had: another wait would bring nothing better.
    pub(crate) async fn acquire(&self) -> Result<IssuedToken, OAuthError> {
        if runtime::Handle::try_current().is_err() {
            self.core.step(|_| self.core.restore());
            let error = || self.core.error(Reason::NoRuntime);
            return self.or_serviceable(error).map(IssuedToken);
        }
        self.acquire_within(&mut self.core.patience())
            .await
            .map(IssuedToken)
    }

    async fn acquire_within(&self, patience: &mut Bound<'_>) -> Result<Arc<Issued>, OAuthError> {
        loop {
            // Without the lock first: of ten thousand waiters that a landing wakes, none then waits for another.
            if let Some(issued) = self.current() {
                return Ok(issued.0);
            }
            let (grant, wait) = match self.core.token_or_fetch() {
                TokenOrFetch::Token(issued) => return Ok(issued),
                TokenOrFetch::Restored(issued) => {
                    telemetry::restored(&self.core, issued.generation);
                    self.core.changes.send_replace(());
                    return Ok(issued);
                }
                TokenOrFetch::Fetch { grant, wait } => (grant, wait),
            };
            let fetch = match grant {
                FetchGrant::Joined(fetch) => fetch,
                FetchGrant::Granted(fetch) => match self.start(fetch) {
                    Ok(fetch) => fetch,
                    Err(error) => return self.or_serviceable(|| error),
                },
                FetchGrant::Denied(error) => return self.or_serviceable(|| error),
            };
            let outcome = follow(&self.core, &fetch, patience);
            let outcome = match wait {
                Some(wait) => time::timeout(wait, outcome).await,
                None => Ok(outcome.await),
            };
            match outcome {
                // The cell says whether the token has been rejected, restored or has expired meanwhile; if the fetch was
                // lost, the first waiter to get here starts another.
                Err(_) | Ok(Some(Outcome::Succeeded | Outcome::Lost)) => {}
                Ok(Some(Outcome::Failed(error))) => return self.or_serviceable(|| error),
                Ok(None) => {
                    let bound = self.core.config.policy.timeouts.acquire;
                    let reason = Reason::AcquireTimeout(bound);
                    return self.or_serviceable(|| self.core.error(reason));
                }
            }
        }
    }

    /// A fetch that cannot be started is one that failed: the token it was to replace serves again.
    fn start(&self, fetch: Arc<Fetch>) -> Result<Arc<Fetch>, OAuthError> {
        match start(&self.core, &fetch) {
            Ok(()) => Ok(fetch),
            Err(error) => {
                self.core.step(|_| self.core.restore());
                Err(error)
            }
        }
    }

    /// A request is not failed while there is a token that may yet be good: also a suspended one.
    fn or_serviceable(
        &self,
        error: impl FnOnce() -> OAuthError,
    ) -> Result<Arc<Issued>, OAuthError> {
        self.core.serviceable().ok_or_else(error)
    }

    pub(super) fn back_off_left(&self) -> Option<Duration> {
        let now = self.core.now();
        self.core.step(|state| {
            let failed = state.backing_off(now)?;
            Some(failed.until.saturating_sub(now.monotonic))
        })
    }

    /// Takes note of a rejection. `None`: hand the response on; otherwise a newer token is there or on its way.
    pub(crate) fn rejected(
        &self,
        generation: Generation,
        rejection: Rejection,
    ) -> Option<Rejected> {
        let core = &self.core;
        Counters::count(&core.counters.rejections);
        let after = |fetch| Rejected {
            generation,
            rejection,
            fetch,
        };
        let rejected = match core.rejected(generation, rejection) {
            Remedy::HandOn | Remedy::Fetch(FetchGrant::Denied(_)) => None,
            Remedy::Newer => Some(after(None)),
            Remedy::Fetch(FetchGrant::Joined(fetch)) => Some(after(Some(fetch))),
            Remedy::Fetch(FetchGrant::Granted(fetch)) => {
                let started = self.start(fetch).ok();
                started.map(|fetch| after(Some(fetch)))
            }
        };
        let remedy = match &rejected {
            None => "none",
            Some(Rejected { fetch: None, .. }) => "newer_token",
            Some(_) => "fetch",
        };
        telemetry::rejected(core, generation, rejection, remedy);
        core.changes.send_replace(());
        rejected
    }

    /// The token to try a rejected request again with, if one comes.
    pub(crate) async fn replacement(&self, rejected: Rejected) -> Option<IssuedToken> {
        if let Some(fetch) = rejected.fetch
            && let Outcome::Failed(_) =
                follow(&self.core, &fetch, &mut self.core.patience()).await?
        {
            return None;
        }
        let issued = self.acquire().await.ok()?;
        let newer = issued.generation() != rejected.generation;
        newer.then(|| {
            Counters::count(&self.core.counters.retries);
            telemetry::retried(&self.core, rejected.generation, issued.generation());
            issued
        })
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("name", &self.config.name)
            .finish_non_exhaustive()
    }
}
