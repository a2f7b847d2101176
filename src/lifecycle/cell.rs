//! The current token with its headers, and the cell from which every request reads it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    clock::{COARSE_LAG, Moment, Now},
    sync::{ArcSwapOption, AtomicU8, Ordering},
};
use crate::{
    headers::Rendered,
    token::{Generation, Token},
};

/// A token in use, with everything that a request needs from it.
pub(crate) struct Issued {
    pub(crate) generation: Generation,
    pub(crate) token: Token,
    pub(crate) headers: Rendered,
    pub(crate) refresh_at: Moment,
    pub(crate) use_until: Moment,
    pub(crate) expires_at: Moment,
    /// When its life began, by the wall clock, and how long that is.
    pub(crate) issued_at: SystemTime,
    pub(crate) lifetime: Duration,
    /// When it expires by the first answer that brought it.
    pub(crate) first_said: Moment,
    /// As long before `refresh_at` as a coarse clock may lag.
    pub(crate) surely_fresh_until: Moment,
    /// [`Core::basis`](super::core::Core::basis) before the attempt that got it.
    pub(crate) basis: u64,
    /// Changed only under the state's lock; read without it.
    pub(crate) state: AtomicU8,
}

/// What the API's answers say about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TokenState {
    Good = 0,
    /// Rejected. Requests wait for its replacement until the fetch ends or `suspended_wait` passes.
    Suspended = 1,
    /// Rejected, and the fetch failed or takes too long, or one route alone rejects it. Requests use it, and it is
    /// refreshed behind them.
    Restored = 2,
    /// Rejected, and the token endpoint returned the same token. Requests use it until its refresh is due.
    Repeated = 3,
}

/// What a request does with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Attach it.
    Fresh,
    /// Attach it, and start a refresh if none is under way.
    Stale,
    /// Wait for the fetch. If it fails, use the token again.
    Suspended,
    /// Wait for the fetch.
    Expired,
}

impl Issued {
    #[inline]
    pub(crate) fn phase(&self, now: Now) -> Phase {
        if self.use_until.is_reached(now) {
            return Phase::Expired;
        }
        match self.token_state() {
            TokenState::Suspended => Phase::Suspended,
            TokenState::Restored => Phase::Stale,
            _ if self.refresh_at.is_reached(now) => Phase::Stale,
            TokenState::Good | TokenState::Repeated => Phase::Fresh,
        }
    }

    /// Whether the token is fresh even if the clock lags. `false` means that an exact clock must decide.
    #[inline]
    pub(crate) fn is_surely_fresh(&self, coarse: Now) -> bool {
        !self.surely_fresh_until.is_reached(coarse)
            && matches!(self.token_state(), TokenState::Good | TokenState::Repeated)
    }

    #[inline]
    pub(crate) fn token_state(&self) -> TokenState {
        match self.state.load(Ordering::Relaxed) {
            0 => TokenState::Good,
            1 => TokenState::Suspended,
            2 => TokenState::Restored,
            _ => TokenState::Repeated,
        }
    }

    /// The same token, whose refresh is due now. A coarse clock may lag, and must not call it fresh.
    pub(crate) fn due(&self, now: Now) -> Self {
        let refresh_at = now.after(Duration::ZERO);
        Self {
            generation: self.generation,
            token: self.token.clone(),
            headers: self.headers.copied(),
            refresh_at,
            surely_fresh_until: refresh_at.before(COARSE_LAG),
            state: AtomicU8::new(self.token_state() as u8),
            ..*self
        }
    }

    pub(crate) fn set_token_state(&self, state: TokenState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Attaches the token and returns its generation.
    #[inline]
    pub(crate) fn attach(&self, to: &mut HeaderMap) -> Generation {
        self.headers.attach(to);
        self.generation
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("generation", &self.generation)
            .field("state", &self.token_state())
            .finish_non_exhaustive()
    }
}

/// A token from a [`TokenSource`](crate::TokenSource). It is cheap to clone.
///
/// Ask the source for each use instead of keeping a token: the source knows when the token expires.
///
/// # Examples
///
/// ```
/// # use tower::service_fn;
/// # use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// # let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
/// let source = TokenSource::builder(fetcher).build()?;
/// let token = source.token().await?;
/// let mut request = http::Request::new(());
/// for (name, value) in token.headers() {
///     request.headers_mut().insert(name, value.clone());
/// }
/// assert_eq!(request.headers()["authorization"], "Bearer abc");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct IssuedToken(pub(crate) Arc<Issued>);

impl IssuedToken {
    /// Returns the token's generation: which of the source's tokens it is.
    pub fn generation(&self) -> Generation {
        self.0.generation
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.0.token_state() == TokenState::Suspended
    }

    /// Returns the token's text, for places that a header cannot reach, such as a WebSocket's first message. Do not log
    /// it.
    pub fn expose_token(&self) -> &str {
        self.0.token.expose()
    }

    /// Returns the headers that carry the token. Their values are marked sensitive.
    ///
    /// This method does not check where you send them: call [`TokenSource::permits`](crate::TokenSource::permits)
    /// first.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0
            .headers
            .pairs()
            .iter()
            .map(|(name, value)| (name, value))
    }

    /// Returns when the token expires, by the wall clock. The source stops using it shortly before.
    pub fn expires_at(&self) -> SystemTime {
        self.0.expires_at.wall_time()
    }
}

/// The place of the current token.
///
/// # Invariants
///
/// 1. It never loses its token: a new token replaces the old one in one step, so that no request finds the cell empty
///    after the first fetch.
/// 2. Only a fetch that succeeds writes a new token, and only
///    [`Core::refresh_outdated`](super::core::Core::refresh_outdated) writes the same token anew; both under the
///    state's lock. Generations therefore never decrease.
#[derive(Debug, Default)]
pub(crate) struct Cell(ArcSwapOption<Issued>);

impl Cell {
    /// Runs `read` on the current token, without a lock and without counting a reference.
    #[inline]
    pub(crate) fn with<T>(&self, read: impl FnOnce(&Issued) -> T) -> Option<T> {
        self.0.load().as_deref().map(read)
    }

    pub(crate) fn get(&self) -> Option<Arc<Issued>> {
        self.0.load_full()
    }

    pub(crate) fn put(&self, issued: Arc<Issued>) {
        self.0.store(Some(issued));
    }
}
