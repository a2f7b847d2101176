//! One attempt: from the store if it has a token, else from the endpoint, by whoever holds the lease.

use std::{sync::Arc, time::Duration};

use tracing::{debug, warn};

use super::{
    entry::{Pause, StoredToken, encode, millis},
    layer::{Core, WhenStoreIsDown},
    sealing::{Label, Opened},
    store::{Holder, Lease, Operation, Snapshot, StoreError},
};
use crate::{
    FailureClass, FetchCause, FetchError, FetchErrorKind, Token, TokenRequest, sharing::Access,
    token::Life,
};

/// How long one operation of the store may take, the connection included.
const OPERATION: Duration = Duration::from_millis(250);

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

/// The store is down.
struct Down {
    /// What it failed with, if it was tried.
    error: Option<StoreError>,
    /// What was tried has never worked in this process.
    never_worked: bool,
}

impl Attempt {
    pub(super) fn new(core: Arc<Core>, request: TokenRequest) -> Self {
        let started = core.parts.clock.now().monotonic;
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
            self.try_store(Access::Write, |core| {
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
        let ttl = parts.policy.timeouts.attempt + LEASE_GRACE;
        let lease = self
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
        let pause = self.pause(&seen);
        Ok(Next::Lease(Leased {
            fence,
            store_time: seen.now,
            granted: self.now(),
            failures: pause.map_or(0, |(pause, _)| pause.failures),
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
        let holds = !left.is_zero() && pause.owner != self.core.owner;
        holds.then(|| Next::Fail(pause.error(left)))
    }

    /// The stored token, unless it is the one that this replica wants to replace.
    fn token(&self, seen: &Snapshot) -> Option<Token> {
        let opened = self.open("token", seen.token.as_deref()?)?;
        let token = StoredToken::read(&opened, seen.now, &self.request, self.elapsed())?;
        let previous = self.request.previous();
        (!previous.is_some_and(|it| it.is_same_as(&token))).then_some(token)
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
        let issued_at = lease.store_time + self.now().saturating_sub(lease.granted);
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
        let Some(sealed) = self.seal("token", lease.fence, ends_at, &entry) else {
            return;
        };
        let stored = self
            .try_store(Access::Write, |core| {
                let (store, holder) = (&core.parts.store, core.holder(lease));
                let name = &core.parts.name;
                store.engine.store_if_newer(name, holder, sealed, ends_at)
            })
            .await;
        match stored {
            Ok(true) => {}
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
        let now = lease.store_time + self.now().saturating_sub(lease.granted);
        let pause = Pause::new(error, failures, &self.core.owner);
        let Some(sealed) = self.seal("pause", lease.fence, now + wait, &pause) else {
            return;
        };
        let ttl = wait + COUNT_KEPT;
        let _ = self
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
        let Down {
            error,
            never_worked,
        } = down;
        let parts = &self.core.parts;
        let fails = match &error {
            // A mistake in the configuration, which an outage is not.
            Some(StoreError::AccessDenied(_)) if never_worked => true,
            // The token still serves: a store that is slow for a moment is no reason for all replicas to fetch.
            _ if self.request.cause() == FetchCause::Ahead && self.request.attempt() == 1 => true,
            _ => parts.when_down == WhenStoreIsDown::Fail,
        };
        if fails {
            return Err(store_error(error, never_worked));
        }
        if parts.sharing.bypass() {
            let cause = error.as_ref().map(StoreError::cause);
            warn!(
                error = cause.map(tracing::field::display),
                "the shared store is down: this replica fetches by itself"
            );
        }
        fetch(self.request).await
    }

    /// One operation, within its bound, unless the store is left alone.
    async fn try_store<'a, T>(
        &'a self,
        access: Access,
        operation: impl FnOnce(&'a Core) -> Operation<'a, T>,
    ) -> Result<T, Down> {
        let core = &*self.core;
        let sharing = &core.parts.sharing;
        let down = |error| Down {
            error,
            never_worked: !sharing.has_worked(access),
        };
        if !core.breaker.permits(self.now()) {
            return Err(down(None));
        }
        let result = tokio::time::timeout(OPERATION, operation(core)).await;
        match result.unwrap_or(Err(StoreError::TimedOut)) {
            Ok(done) => {
                core.breaker.succeeded();
                sharing.store_works(access);
                Ok(done)
            }
            Err(error) => {
                core.breaker.failed(self.now());
                sharing.store_failed();
                debug!(?error, "an operation of the shared store failed");
                Err(down(Some(error)))
            }
        }
    }

    fn waited_in_vain(&self) -> FetchError {
        FetchError::timed_out("another replica is fetching the token, and was not done in time")
    }

    fn now(&self) -> Duration {
        self.core.parts.clock.now().monotonic
    }

    fn elapsed(&self) -> Duration {
        self.now().saturating_sub(self.started)
    }
}

impl Core {
    fn holder(&self, lease: &Leased) -> Holder<'_> {
        Holder {
            owner: &self.owner,
            fence: lease.fence,
        }
    }
}

fn store_error(error: Option<StoreError>, never_worked: bool) -> FetchError {
    let new = |class, message| FetchError::new(class, FetchErrorKind::Unavailable, message);
    match error {
        Some(StoreError::AccessDenied(source)) if never_worked => new(
            FailureClass::Permanent,
            "the shared store denies access; check its user, password and permissions",
        )
        .with_source(source),
        Some(StoreError::AccessDenied(source) | StoreError::Failed(source)) => {
            new(FailureClass::Transient, "the shared store is down").with_source(source)
        }
        Some(StoreError::TimedOut) => {
            FetchError::timed_out("the shared store did not answer within 250 ms")
        }
        None => new(FailureClass::Transient, "the shared store is down"),
    }
}
