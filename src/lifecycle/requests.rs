//! What a source does for the requests that use it.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, Uri};

use super::{
    bound::Bound,
    cell::{Issued, IssuedToken, Phase},
    clock::Now,
    core::{Core, TokenOrFetch},
    fetch::{Fetch, Outcome, follow, start},
    state::{FetchGrant, Remedy},
    status::AtomicCounters,
    sync::{runtime, time},
    telemetry,
};
use crate::{
    error::{ConfigError, OAuthError, Reason},
    origin::Origin,
    rejection::{Rejection, RejectionRule},
    token::Generation,
};

/// When there may be something to do for a refresh.
pub(super) enum Due {
    In(Duration),
    /// When this fetch has landed.
    Fetching(Arc<Fetch>),
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

impl Core {
    pub(crate) fn is_shut_down(&self) -> bool {
        self.step(|state| state.is_shut_down())
    }

    /// Whether this URI may have the token.
    #[inline]
    pub(crate) fn permits(&self, uri: &Uri) -> Result<(), OAuthError> {
        let permitted = self.config.origins.permits(uri);
        permitted.map_err(|foreign| self.foreign_origin(foreign))
    }

    /// Whether this URL, which is what `reqwest` dials, may have the token.
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn permits_url(&self, url: &reqwest::Url) -> Result<(), OAuthError> {
        let permitted = self.config.origins.permits_url(url);
        permitted.map_err(|foreign| self.foreign_origin(foreign))
    }

    #[cold]
    pub(crate) fn foreign_origin(&self, rule: impl fmt::Display) -> OAuthError {
        let kind = Reason::ForeignOrigin(rule.to_string());
        self.error(kind)
    }

    pub(crate) fn permits_origin(&self, origin: &Origin) -> Result<(), ConfigError> {
        let permitted = self.config.origins.permits_target(Ok(origin.target()));
        permitted.map_err(|foreign| {
            ConfigError::new("relative_to", foreign.to_string()).of(&self.config.name)
        })
    }

    #[inline]
    pub(crate) fn rejection_rule(&self) -> &RejectionRule {
        &self.config.rejection
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
    pub(crate) fn attach(self: &Arc<Self>, headers: &mut HeaderMap) -> Option<Generation> {
        let clock = &self.config.clock;
        let attached = |issued: &Issued| {
            let serves =
                issued.is_surely_fresh(clock.coarse_now()) || self.serves(issued, clock.now());
            serves.then(|| issued.attach(headers))
        };
        self.cell.with(attached).flatten()
    }

    /// Attaches what [`acquire`](Self::acquire) handed out although it is suspended, if it still lives.
    pub(crate) fn attach_last_resort(
        &self,
        IssuedToken(issued): &IssuedToken,
        headers: &mut HeaderMap,
    ) -> Option<Generation> {
        let lives = issued.phase(self.now()) != Phase::Expired;
        lives.then(|| issued.attach(headers))
    }

    /// The current token if it may be used without waiting.
    pub(super) fn current(self: &Arc<Self>) -> Option<IssuedToken> {
        let now = self.now();
        let issued = self.cell.get()?;
        self.serves(&issued, now).then_some(IssuedToken(issued))
    }

    /// Whether a token may be attached without waiting; the first to see a stale one has it refreshed.
    #[inline]
    fn serves(self: &Arc<Self>, issued: &Issued, now: Now) -> bool {
        match issued.phase(now) {
            Phase::Fresh => true,
            Phase::Stale => {
                if self.may_refresh(now) {
                    self.refresh_behind();
                }
                true
            }
            Phase::Suspended | Phase::Expired => false,
        }
    }

    /// Starts what is due, and says when there may be something to do again.
    pub(super) fn refresh_if_due(self: &Arc<Self>) -> Due {
        let now = self.now();
        let current = self.cell.get();
        let due_in = current.as_deref().map(|issued| match issued.phase(now) {
            Phase::Fresh => issued.refresh_at.remaining(now),
            Phase::Stale | Phase::Suspended | Phase::Expired => Duration::ZERO,
        });
        match due_in {
            Some(wait) if !wait.is_zero() => return Due::In(wait),
            _ if self.may_refresh(now) => self.refresh_behind(),
            _ => {}
        }
        match self.step(|state| state.under_way()) {
            Some(fetch) => Due::Fetching(fetch),
            None => Due::In(self.back_off_left().unwrap_or(Duration::MAX)),
        }
    }

    /// Starts a refresh that nobody waits for, if there is a runtime to do it.
    pub(crate) fn refresh_behind(self: &Arc<Self>) {
        if runtime::Handle::try_current().is_err() {
            return;
        }
        if let Some(FetchGrant::Granted(fetch)) = self.grant_refresh() {
            // A runtime that is shutting down loses the fetch; the next request starts another.
            let _ = start(self, &fetch);
        }
    }

    /// The slow path: waits for a token, at most `timeouts.acquire`. It returns a suspended token only if there is no
    /// better one, and another wait would bring none.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<IssuedToken, OAuthError> {
        if runtime::Handle::try_current().is_err() {
            self.step(|_| self.restore());
            let error = || self.error(Reason::NoRuntime);
            return self.or_serviceable(error).map(IssuedToken);
        }
        self.acquire_within(&mut self.patience())
            .await
            .map(IssuedToken)
    }

    async fn acquire_within(
        self: &Arc<Self>,
        patience: &mut Bound<'_>,
    ) -> Result<Arc<Issued>, OAuthError> {
        loop {
            // Without the lock first: of ten thousand waiters that a landing wakes, none then waits for another.
            if let Some(issued) = self.current() {
                return Ok(issued.0);
            }
            let (grant, wait) = match self.token_or_fetch() {
                TokenOrFetch::Token(issued) => return Ok(issued),
                TokenOrFetch::Restored(issued) => {
                    telemetry::restored(self, issued.generation);
                    self.changes.send_replace(());
                    return Ok(issued);
                }
                TokenOrFetch::Fetch { grant, wait } => (grant, wait),
            };
            let fetch = match grant {
                FetchGrant::Joined(fetch) => fetch,
                FetchGrant::Granted(fetch) => match start(self, &fetch) {
                    Ok(()) => fetch,
                    Err(error) => return self.or_serviceable(|| error),
                },
                FetchGrant::Denied(error) => return self.or_serviceable(|| error),
            };
            let outcome = follow(self, &fetch, patience);
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
                    let bound = self.config.policy.timeouts.acquire;
                    let reason = Reason::AcquireTimeout(bound);
                    return self.or_serviceable(|| self.error(reason));
                }
            }
        }
    }

    /// A request is not failed while there is a token that may yet be good: also a suspended one.
    fn or_serviceable(
        &self,
        error: impl FnOnce() -> OAuthError,
    ) -> Result<Arc<Issued>, OAuthError> {
        self.serviceable().ok_or_else(error)
    }

    pub(super) fn back_off_left(&self) -> Option<Duration> {
        let now = self.now();
        self.step(|state| {
            let failed = state.backing_off(now)?;
            Some(failed.until.saturating_sub(now.monotonic))
        })
    }

    /// Takes note of a rejection. `None`: hand the response on; otherwise a newer token is there or on its way.
    pub(crate) fn rejected(
        self: &Arc<Self>,
        generation: Generation,
        rejection: Rejection,
    ) -> Option<Rejected> {
        AtomicCounters::count(&self.counters.rejections);
        let after = |fetch| Rejected {
            generation,
            rejection,
            fetch,
        };
        let rejected = match self.remedy(generation, rejection) {
            Remedy::HandOn | Remedy::Fetch(FetchGrant::Denied(_)) => None,
            Remedy::Newer => Some(after(None)),
            Remedy::Fetch(FetchGrant::Joined(fetch)) => Some(after(Some(fetch))),
            Remedy::Fetch(FetchGrant::Granted(fetch)) => {
                let started = start(self, &fetch).ok();
                started.map(|()| after(Some(fetch)))
            }
        };
        let remedy = match &rejected {
            None => "none",
            Some(Rejected { fetch: None, .. }) => "newer_token",
            Some(_) => "fetch",
        };
        telemetry::rejected(self, generation, rejection, remedy);
        self.changes.send_replace(());
        rejected
    }

    /// The token to try a rejected request again with, if one comes.
    pub(crate) async fn replacement(self: &Arc<Self>, rejected: Rejected) -> Option<IssuedToken> {
        if let Some(fetch) = rejected.fetch
            && let Outcome::Failed(_) = follow(self, &fetch, &mut self.patience()).await?
        {
            return None;
        }
        let issued = self.acquire().await.ok()?;
        let newer = issued.generation() != rejected.generation;
        newer.then(|| {
            AtomicCounters::count(&self.counters.retries);
            telemetry::retried(self, rejected.generation, issued.generation());
            issued
        })
    }
}
