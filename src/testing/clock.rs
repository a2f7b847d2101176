//! The bank's two clocks. A test may replace them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

/// The last second that an HTTP date can name, 9999-12-31T23:59:59Z.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

#[derive(Clone)]
pub(super) struct Clock {
    now: Arc<dyn Fn() -> Instant + Send + Sync>,
    wall: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Clock {
    pub(super) fn with_now(self, now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        let now = Arc::new(now);
        Self { now, ..self }
    }

    pub(super) fn with_wall(self, wall: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let wall = Arc::new(wall);
        Self { wall, ..self }
    }

    pub(super) fn now(&self) -> Instant {
        (self.now)()
    }

    /// The time of day, within what an HTTP date can name.
    pub(super) fn wall(&self) -> SystemTime {
        let since_epoch = (self.wall)()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        SystemTime::UNIX_EPOCH + since_epoch.min(LAST_DATE)
    }
}

impl Default for Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the bank is the other side of the wire: it has a wall clock of its own"
    )]
    fn default() -> Self {
        Self {
            now: Arc::new(Instant::now),
            wall: Arc::new(SystemTime::now),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
