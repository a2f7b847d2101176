//! What a source does for the requests that use it.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, Uri};

#[cfg(feature = "metrics")]
use super::metrics;
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

/// When to check again whether a refresh is due.
pub(super) enum Due {
    In(Duration),
    /// When this fetch has ended.
    Fetching(Arc<Fetch>),
}

/// A rejected request that may be retried: with the current token, or with the token of this fetch.
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

    /// Whether this URL, which `reqwest` connects to, may have the token.
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

    /// The hit path: puts the current token on a request if it is usable, and returns its generation.
    ///
    /// # Why it needs no lock
    ///
    /// 1. One load finds the token, and all its data is behind that one pointer: headers, generation and instants
    ///    always belong to one token. The guard keeps them until they have been copied.
    /// 2. The clocks are read after the token, so the time is never from before the token. Coarse clocks can only show
    ///    that the token is fresh for longer than they lag; precise clocks decide everything else.
    /// 3. A rejection changes the mark on the token itself. A request that read the mark before counts as sent before
    ///    the rejection.
    /// 4. A request writes the counts of its headers and of its guard, which belong to the thread's shard, and
    ///    `ArcSwap`'s record of the load, which belongs to the thread. No other thread writes them unless threads share
    ///    the shard.
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

    /// Attaches a suspended token that [`acquire`](Self::acquire) returned, if it has not expired.
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

    /// Whether a token may be attached without waiting. The first request that sees a stale token starts its refresh.
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

    /// Starts a refresh that is due, and returns when to check again.
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

    /// Starts a refresh without waiting for it, if there is a runtime.
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
    /// better one and another wait would not help.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<IssuedToken, OAuthError> {
        if runtime::Handle::try_current().is_err() {
            self.step(|_| self.restore());
            let error = || self.error(Reason::NoRuntime);
            return self.or_serviceable(error).map(IssuedToken);
        }
        // A token that came just before is no wait.
        #[cfg(feature = "metrics")]
        if let Some(issued) = self.current() {
            return Ok(issued);
        }
        #[cfg(feature = "metrics")]
        let since = self.now();
        let acquired = self.acquire_within(&mut self.patience()).await;
        #[cfg(feature = "metrics")]
        metrics::waited(self, since, acquired.is_ok());
        acquired.map(IssuedToken)
    }

    async fn acquire_within(
        self: &Arc<Self>,
        patience: &mut Bound<'_>,
    ) -> Result<Arc<Issued>, OAuthError> {
        loop {
            // First without the lock: a fetch that succeeds may wake ten thousand waiters, and none of them should wait
            // for another.
            if let Some(issued) = self.current() {
                return Ok(issued.0);
            }
            let (grant, wait) = match self.token_or_fetch() {
                TokenOrFetch::Token(issued) => return Ok(issued),
                TokenOrFetch::Restored(issued) => {
                    telemetry::restored(self, issued.generation);
                    self.announce();
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
                // The cell shows whether the token was rejected, was restored or has expired meanwhile. If the fetch
                // was lost, the first waiter that gets here starts another.
                Err(_) | Ok(Some(Outcome::Succeeded | Outcome::Lost)) => {}
                Ok(Some(Outcome::Failed(error))) => return self.or_serviceable(|| error),
                Ok(None) => {
                    let bound = self.config.policy.timeouts.acquire;
                    let queued = self.is_queued();
                    let reason = Reason::AcquireTimeout { bound, queued };
                    return self.or_serviceable(|| self.error(reason));
                }
            }
        }
    }

    /// Whether the fetch under way waits for its turn at the token endpoint.
    fn is_queued(&self) -> bool {
        self.config.endpoint.is_some() && self.step(|state| state.waits_to_start())
    }

    /// A request does not fail while there is a token that may be good, even a suspended one.
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

    /// Records a rejection. `None`: return the response to the caller. Otherwise there is a newer token, or a fetch for
    /// one.
    pub(crate) fn rejected(
        self: &Arc<Self>,
        generation: Generation,
        rejection: Rejection,
    ) -> Option<Rejected> {
        AtomicCounters::count(&self.counters.rejections);
        #[cfg(feature = "metrics")]
        metrics::rejected(self, rejection);
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
        self.announce();
        rejected
    }

    /// The token to retry a rejected request with, if one comes.
    pub(crate) async fn replacement(self: &Arc<Self>, rejected: Rejected) -> Option<IssuedToken> {
        if let Some(fetch) = rejected.fetch {
            #[cfg(feature = "metrics")]
            let since = self.now();
            let outcome = follow(self, &fetch, &mut self.patience()).await;
            #[cfg(feature = "metrics")]
            metrics::waited(self, since, matches!(outcome, Some(Outcome::Succeeded)));
            if let Outcome::Failed(_) = outcome? {
                return None;
            }
        }
        let issued = self.acquire().await.ok()?;
        let newer = issued.generation() != rejected.generation;
        newer.then(|| {
            AtomicCounters::count(&self.counters.retries);
            #[cfg(feature = "metrics")]
            metrics::retried(self);
            telemetry::retried(self, rejected.generation, issued.generation());
            issued
        })
    }
}
