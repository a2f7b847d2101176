//! A new token, checked and rendered, before it has a generation.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    cell::{Issued, TokenState},
    clock::{COARSE_LAG, Moment, Now, since_epoch},
    core::Core,
    sync::AtomicU8,
};
use crate::{
    error::FetchError,
    headers::Rendered,
    policy::Policy,
    token::{Generation, Life, Token},
};

/// By how much two answers may differ about the expiry of one token: an endpoint that counts down whole seconds rounds,
/// and time on the wire is added.
const SAME_END: Duration = Duration::from_secs(2);

pub(crate) struct PreparedToken {
    token: Token,
    headers: Rendered,
    span: Span,
    basis: u64,
}

/// The moments of a token's life.
#[derive(Clone, Copy)]
struct Span {
    /// By the wall clock.
    issued_at: SystemTime,
    lifetime: Duration,
    refresh_at: Moment,
    use_until: Moment,
    expires_at: Moment,
    /// `expires_at` of the first answer that brought this token.
    first_said: Moment,
}

impl Core {
    /// Checks and prepares the token of an attempt that began at `anchor`, on this `basis`.
    pub(crate) fn prepare(
        &self,
        token: Token,
        anchor: Now,
        basis: u64,
        rng: &mut fastrand::Rng,
    ) -> Result<PreparedToken, FetchError> {
        if token.expose().is_empty() {
            return Err(FetchError::malformed("the token is empty"));
        }
        let headers = self.config.headers.render(&token)?;
        let stated = self.stated(&token, anchor, rng);
        let current = self.current_if_same(&token);
        let now = self.now();
        let span = match &current {
            Some(current) => stated.repeating(current, now),
            None => stated,
        };
        if span.expires_at.is_reached(now) {
            return Err(over(stated, anchor, now));
        }
        let mut span = span.beyond_leeway(&self.config.policy, now);
        if current.is_some() {
            // Before this moment the endpoint would return the same token again.
            span.refresh_at = span.use_until;
        }
        Ok(PreparedToken {
            token,
            headers,
            span,
            basis,
        })
    }

    /// The moments of a token's life, by its answer only.
    fn stated(&self, token: &Token, anchor: Now, rng: &mut fastrand::Rng) -> Span {
        let age = token.issued_at().map_or(Duration::ZERO, |at| {
            anchor.wall.saturating_sub(since_epoch(at))
        });
        let lifetime = match token.life() {
            Life::Unstated => self.config.policy.lifetime.default,
            Life::For(lifetime) => lifetime,
            Life::Until(end) => age + since_epoch(end).saturating_sub(anchor.wall),
        };
        // For a token of some age, the bound applies to the rest of its lifetime.
        let lifetime = lifetime.min(age.saturating_add(self.config.policy.lifetime.max));
        let window = self.config.policy.window(lifetime, rng.f64());
        let start = anchor.earlier(age);
        let expires_at = start.after(lifetime);
        Span {
            issued_at: start.wall_time(),
            lifetime,
            refresh_at: start.after(window.refresh_after),
            use_until: start.after(window.use_for),
            expires_at,
            first_said: expires_at,
        }
    }

    /// The current token, if this one is the same.
    pub(super) fn current_if_same(&self, token: &Token) -> Option<Arc<Issued>> {
        let current = self.cell.get()?;
        current.token.is_same_as(token).then_some(current)
    }
}

/// The token has expired. If it was valid when it was sent, it expired on its way, and the endpoint has another: the
/// next attempt is made at once.
fn over(stated: Span, anchor: Now, now: Now) -> FetchError {
    let had_life = !stated.expires_at.is_reached(anchor);
    if had_life && stated.expires_at.is_reached(now) {
        return FetchError::without_life("the token had no life left when it arrived")
            .with_retry_after(Duration::ZERO);
    }
    FetchError::without_life(
        "the token's stated life is over; if it never ends, state no lifetime and set `default_lifetime`",
    )
}

impl Span {
    /// The endpoint returned the current token again. The expiry of the first answer counts, even if a later answer
    /// adds a little: that may be rounding. Only an answer that adds much more lengthens the lifetime, and only after
    /// the first expiry has passed.
    fn repeating(self, current: &Issued, now: Now) -> Self {
        let is_used_up = current.use_until.is_reached(now);
        if is_used_up && self.expires_at.is_later(current.first_said, SAME_END) {
            return self;
        }
        Self {
            use_until: self.use_until.earlier_of(current.use_until),
            expires_at: self.expires_at.earlier_of(current.first_said),
            first_said: current.first_said,
            ..self
        }
    }

    /// A token that its endpoint returns in its last seconds is used beyond the usual leeway: there is no other.
    fn beyond_leeway(self, policy: &Policy, now: Now) -> Self {
        if !self.use_until.is_reached(now) {
            return self;
        }
        let left = self.expires_at.remaining(now);
        Self {
            use_until: self.expires_at.before(policy.leeway(left)),
            ..self
        }
    }
}

impl PreparedToken {
    /// Its whole lifetime.
    pub(crate) fn lifetime(&self) -> Duration {
        self.span.lifetime
    }

    pub(super) fn basis(&self) -> u64 {
        self.basis
    }

    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    pub(super) fn issue(self, generation: Generation) -> Issued {
        self.with(generation, TokenState::Good)
    }

    /// The same generation, with the mark of a rejection if it has one.
    pub(super) fn repeat(self, current: &Issued) -> Issued {
        let state = match current.token_state() {
            TokenState::Good => TokenState::Good,
            _ => TokenState::Repeated,
        };
        self.with(current.generation, state)
    }

    fn with(self, generation: Generation, state: TokenState) -> Issued {
        Issued {
            generation,
            surely_fresh_until: self.span.refresh_at.before(COARSE_LAG),
            refresh_at: self.span.refresh_at,
            use_until: self.span.use_until,
            expires_at: self.span.expires_at,
            issued_at: self.span.issued_at,
            lifetime: self.span.lifetime,
            first_said: self.span.first_said,
            basis: self.basis,
            token: self.token,
            headers: self.headers,
            state: AtomicU8::new(state as u8),
        }
    }
}

#[cfg(all(test, not(tower_oauth_loom)))]
mod tests {
    use tower::{service_fn, util::BoxService};

    use super::{super::core::Config, *};

    fn issued(lifetime: Duration) -> Issued {
        let core = Core::new(
            Config::default(),
            BoxService::new(service_fn(async |_| Ok(Token::new("never")))),
            fastrand::Rng::with_seed(1),
        );
        let token = Token::new("abc").with_lifetime(lifetime);
        let prepared = core.prepare(token, core.now(), 0, &mut fastrand::Rng::with_seed(1));
        prepared.expect("a token").issue(Generation(1))
    }

    #[test]
    fn a_coarse_clock_is_asked_only_as_long_before_the_refresh_as_it_may_lag() {
        let issued = issued(Duration::from_secs(3600));
        let expected = issued.refresh_at.before(COARSE_LAG);
        assert_eq!(issued.surely_fresh_until, expected);
    }
}
