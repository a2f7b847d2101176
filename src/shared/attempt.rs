//! One attempt: from the store if it has a token, else from the endpoint, by whoever holds the lease.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tracing::{debug, warn};

use super::{
    access::Down,
    entry::{Pause, StoredToken, encode},
    layer::{Core, WhenStoreIsDown},
    sealing::{Label, Opened},
    store::{Holder, Lease, Snapshot},
};
use crate::{
    ClientSecret, FetchCause, FetchError, Token, TokenRequest, duration::millis, sharing::Access,
    token::Life,
};

/// By how much a lease outlives the longest attempt.
const LEASE_GRACE: Duration = Duration::from_secs(2);

/// How much earlier than its attempt's time-out a waiter gives up, so that its error says what it waited for.
const WAITER_GRACE: Duration = Duration::from_millis(100);

/// The waits between two looks at the store, while another replica fetches.
const FIRST_LOOK: Duration = Duration::from_millis(25);
const LAST_LOOK: Duration = Duration::from_millis(250);

/// For how long the number of failures is kept after a pause.
const COUNT_KEPT: Duration = Duration::from_secs(600);

pub(super) struct Attempt {
    core: Arc<Core>,
    request: TokenRequest,
    /// On the monotonic clock.
    started: Duration,
}

/// A lease of ours, and the store's time when it was granted.
struct Leased {
    fence: u64,
    store_time: Duration,
    granted: Duration,
    /// How many token requests of the fleet have failed in a row.
    failures: u32,
}

/// What a look at the store leads to.
enum Next {
    Token(Token),
    Fail(FetchError),
    Lease(Leased),
    Wait,
}

impl Attempt {
    pub(super) fn new(core: Arc<Core>, request: TokenRequest) -> Self {
        let started = core.now();
        Self {
            core,
            request,
            started,
        }
    }

    pub(super) async fn run<F>(self, fetch: F) -> Result<Token, FetchError>
    where
        F: AsyncFnOnce(TokenRequest) -> Result<Token, FetchError>,
    {
        match self.next().await {
            Ok(Next::Token(token)) => Ok(token),
            Ok(Next::Fail(error)) => Err(error),
            Ok(Next::Lease(lease)) => self.fetch_for_all(lease, fetch).await,
            Ok(Next::Wait) => Err(self.waited_in_vain()),
            Err(down) => self.without_store(down, fetch).await,
        }
    }

    /// Looks until there is a token, a failure or a lease, or until the attempt's time is over.
    async fn next(&self) -> Result<Next, Down> {
        if self.request.is_retry_now() {
            self.core
                .try_store(Access::Write, |core| {
                    core.parts.store.engine.end_pause(&core.parts.name)
                })
                .await?;
        }
        let bound = self.core.parts.policy.timeouts.attempt;
        let mut wait = FIRST_LOOK;
        loop {
            match self.look().await? {
                Next::Wait if self.elapsed() + wait + WAITER_GRACE < bound => {}
                next => return Ok(next),
            }
            tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            wait = (wait * 2).min(LAST_LOOK);
        }
    }

    async fn look(&self) -> Result<Next, Down> {
        let parts = &self.core.parts;
        let seen = self
            .core
            .try_store(Access::Read, |core| {
                core.parts.store.engine.load(&core.parts.name)
            })
            .await?;
        parts.sharing.held_by(seen.holder.as_deref());
        if let Some(found) = self.found(&seen) {
            return Ok(found);
        }
        if seen
            .holder
            .as_ref()
            .is_some_and(|it| *it != self.core.owner)
        {
            return Ok(Next::Wait);
        }
        self.lease().await
    }

    /// Asks for the lease, after a look that found nothing.
    async fn lease(&self) -> Result<Next, Down> {
        let parts = &self.core.parts;
        let ttl = parts.policy.timeouts.attempt.saturating_add(LEASE_GRACE);
        let lease = self
            .core
            .try_store(Access::Write, |core| {
                let store = &core.parts.store;
                store.engine.try_lease(&core.parts.name, &core.owner, ttl)
            })
            .await?;
        let (fence, seen) = match lease {
            Lease::Granted { fence, seen } => (fence, seen),
            Lease::Held(holder) => {
                parts.sharing.held_by(holder.as_deref());
                return Ok(Next::Wait);
            }
        };
        parts.sharing.held_by(Some(&self.core.owner));
        // Another replica may have fetched between the look and the lease.
        if let Some(found) = self.found(&seen) {
            self.release().await;
            return Ok(found);
        }
        parts.sharing.granted();
        let pause = self.pause(&seen);
        Ok(Next::Lease(Leased {
            fence,
            store_time: seen.now,
            granted: self.core.now(),
            failures: pause
                .filter(|(pause, _)| pause.concerns(self.credential()))
                .map_or(0, |(pause, _)| pause.failures),
        }))
    }

    /// A token that may be used, or a pause that must be kept.
    fn found(&self, seen: &Snapshot) -> Option<Next> {
        if let Some(token) = self.token(seen) {
            return Some(Next::Token(token));
        }
        let (pause, end) = self.pause(seen)?;
        let left = end.saturating_sub(seen.now);
        // A replica backs off by itself after a failure of its own.
        let concerns = pause.owner != self.core.owner && pause.concerns(self.credential());
        let holds = !left.is_zero() && concerns;
        holds.then(|| Next::Fail(pause.error(left)))
    }

    /// The stored token, unless it is the one that this replica wants to replace, or has replaced already.
    fn token(&self, seen: &Snapshot) -> Option<Token> {
        let opened = self.open("token", seen.token.as_deref()?)?;
        if opened.fence == self.core.left_behind.load(Ordering::Relaxed) {
            return None;
        }
        let token = StoredToken::read(&opened, seen.now, &self.request, self.elapsed())?;
        let previous = self.request.previous();
        if previous.is_some_and(|it| it.is_same_as(&token)) {
            return None;
        }
        self.core.taken.store(opened.fence, Ordering::Relaxed);
        Some(token)
    }

    fn pause(&self, seen: &Snapshot) -> Option<(Pause, Duration)> {
        let opened = self.open("pause", seen.pause.as_deref()?)?;
        let end = Duration::from_millis(opened.ends_at);
        Some((Pause::read(&opened)?, end))
    }

    fn open(&self, kind: &'static str, blob: &[u8]) -> Option<Opened> {
        let parts = &self.core.parts;
        let opened = parts.store.keys.open(&parts.name, kind, blob);
        if opened.is_none() {
            warn!(
                kind,
                "an entry of the shared store cannot be opened and is ignored; check that all replicas have the same sealing keys"
            );
        }
        opened
    }

    /// Fetches under the lease, and stores what comes of it.
    async fn fetch_for_all<F>(self, lease: Leased, fetch: F) -> Result<Token, FetchError>
    where
        F: AsyncFnOnce(TokenRequest) -> Result<Token, FetchError>,
    {
        let issued_at = lease.store_time + self.core.now().saturating_sub(lease.granted);
        let started_at = self.request.started_at() + self.elapsed();
        let answer = fetch(self.request.clone()).await;
        match &answer {
            Ok(token) => self.store(&lease, token, issued_at, started_at).await,
            Err(error) => self.store_failure(&lease, error).await,
        }
        answer
    }

    async fn store(
        &self,
        lease: &Leased,
        token: &Token,
        issued_at: Duration,
        started_at: std::time::SystemTime,
    ) {
        let age = token
            .issued_at()
            .and_then(|at| started_at.duration_since(at).ok())
            .unwrap_or_default();
        let limits = &self.core.parts.policy.lifetime;
        let lifetime = match token.life() {
            Life::Unstated => limits.default,
            Life::For(lifetime) => lifetime,
            Life::Until(end) => age + end.duration_since(started_at).unwrap_or_default(),
        };
        let issued_at = issued_at.saturating_sub(age);
        let ends_at = issued_at + lifetime.min(age + limits.max);
        let entry = StoredToken::new(token, issued_at);
        self.core.leave_behind();
        let Some(sealed) = self.seal("token", lease.fence, ends_at, &entry) else {
            return;
        };
        let stored = self
            .core
            .try_store(Access::Write, |core| {
                let (store, holder) = (&core.parts.store, core.holder(lease));
                let name = &core.parts.name;
                store.engine.store_if_newer(name, holder, sealed, ends_at)
            })
            .await;
        match stored {
            Ok(true) => self.core.taken.store(lease.fence, Ordering::Relaxed),
            Ok(false) => debug!("a newer lease was granted meanwhile: the token is not stored"),
            Err(_) => warn!("the token was fetched and could not be stored: other replicas fetch"),
        }
    }

    async fn store_failure(&self, lease: &Leased, error: &FetchError) {
        let policy = &self.core.parts.policy;
        let failures = lease.failures.saturating_add(1);
        let own = policy.back_off(error.class(), failures, 0.5);
        let asked = error.retry_after();
        let asked = asked.map(|it| policy.believed_retry_after(it, 0.0));
        let wait = own.max(asked.unwrap_or_default());
        let now = lease.store_time + self.core.now().saturating_sub(lease.granted);
        let pause = Pause::new(error, failures, &self.core.owner, self.credential());
        let Some(sealed) = self.seal("pause", lease.fence, now + wait, &pause) else {
            return;
        };
        let ttl = wait + COUNT_KEPT;
        let _ = self
            .core
            .try_store(Access::Write, |core| {
                let (store, holder) = (&core.parts.store, core.holder(lease));
                store.engine.pause(&core.parts.name, holder, sealed, ttl)
            })
            .await;
    }

    fn seal<T: serde::Serialize>(
        &self,
        kind: &'static str,
        fence: u64,
        ends_at: Duration,
        entry: &T,
    ) -> Option<Vec<u8>> {
        let parts = &self.core.parts;
        let label = Label {
            name: &parts.name,
            kind,
            fence,
            ends_at: millis(ends_at),
        };
        parts.store.keys.seal(label, &encode(entry)?)
    }

    async fn release(&self) {
        let _ = self
            .core
            .try_store(Access::Write, |core| {
                let store = &core.parts.store;
                store.engine.release(&core.parts.name, &core.owner)
            })
            .await;
    }

    async fn without_store<F>(self, down: Down, fetch: F) -> Result<Token, FetchError>
    where
        F: AsyncFnOnce(TokenRequest) -> Result<Token, FetchError>,
    {
        let parts = &self.core.parts;
        // While the token is used, a store that is slow for a moment is no reason for all replicas to fetch.
        let can_wait = self.request.cause() == FetchCause::Ahead && self.request.attempt() == 1;
        let fails = parts.when_down == WhenStoreIsDown::Fail;
        if can_wait || fails || down.is_a_mistake() {
            return Err(down.into());
        }
        if parts.sharing.bypass() {
            warn!(
                error = down.cause().map(tracing::field::display),
                "the shared store is down: this replica fetches by itself"
            );
        }
        let answer = fetch(self.request).await;
        if answer.is_ok() {
            self.core.leave_behind();
        }
        answer
    }

    fn credential(&self) -> Option<&str> {
        self.core
            .parts
            .credential
            .as_ref()
            .map(ClientSecret::expose)
    }

    fn waited_in_vain(&self) -> FetchError {
        FetchError::timed_out("another replica is fetching the token, and was not done in time")
    }

    fn elapsed(&self) -> Duration {
        self.core.now().saturating_sub(self.started)
    }
}

impl Core {
    /// This replica has a newer token than the last one that it shared.
    fn leave_behind(&self) {
        let taken = self.taken.load(Ordering::Relaxed);
        self.left_behind.store(taken, Ordering::Relaxed);
    }

    fn holder(&self, lease: &Leased) -> Holder<'_> {
        Holder {
            owner: &self.owner,
            fence: lease.fence,
        }
    }
}
