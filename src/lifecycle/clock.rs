//! The clocks. No other file reads the time: all other code takes `now` as a parameter.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is the room that the rule sends everyone to"
)]

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::error::NextAttempt;

/// The two clocks that measure a token's lifetime: a monotonic one, which stops while the machine is suspended, and the
/// wall clock, which can step. A lifetime ends when either clock reaches its end.
///
/// # Examples
///
/// A test that drives both clocks:
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::Clock;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let clock = Clock::tokio();
/// let before = clock.wall();
/// tokio::time::advance(Duration::from_secs(60)).await; // both clocks run
/// clock.step_wall_forward(Duration::from_secs(3600)); // a suspend: only the wall clock moved on
/// assert_eq!(clock.wall().duration_since(before).unwrap(), Duration::from_secs(3660));
/// # }
/// ```
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System,
    Tokio(Arc<Tokio>),
}

/// tokio's clock, with a wall clock that follows it at an adjustable distance.
struct Tokio {
    started: tokio::time::Instant,
    started_wall: Duration,
    /// Nanoseconds by which the wall clock has been stepped.
    stepped: AtomicI64,
}

impl Clock {
    /// Returns the machine's clocks, the default.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// Returns tokio's clock, which tests can pause and advance. Its wall clock starts at the present time, runs with
    /// tokio's clock and can be stepped. Clones share the steps. Do not use it in production: it is slower to read.
    pub fn tokio() -> Self {
        Self(Kind::Tokio(Arc::new(Tokio {
            started: tokio::time::Instant::now(),
            started_wall: since_epoch(SystemTime::now()),
            stepped: AtomicI64::new(0),
        })))
    }

    /// Returns the wall clock's time.
    pub fn wall(&self) -> SystemTime {
        self.now().wall_time()
    }

    /// Steps the wall clock forward while the monotonic clock stands still, as a suspend does. It does not affect the
    /// [system](Self::system) clock.
    pub fn step_wall_forward(&self, by: Duration) {
        self.step(nanos(by));
    }

    /// Steps the wall clock back, as an administrator may. It does not affect the [system](Self::system) clock.
    pub fn step_wall_back(&self, by: Duration) {
        self.step(-nanos(by));
    }

    fn step(&self, by: i64) {
        if let Kind::Tokio(tokio) = &self.0 {
            tokio.stepped.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// What an error says of the attempt that may be made a back-off after `now`.
    pub(crate) fn next_attempt(&self, now: Now, back_off: Duration) -> NextAttempt {
        let (clock, until) = (self.clone(), now.monotonic.saturating_add(back_off));
        NextAttempt {
            at: now.after(back_off).wall_time(),
            back_off,
            left: Box::new(move || until.saturating_sub(clock.now().monotonic)),
        }
    }

    pub(crate) fn now(&self) -> Now {
        match &self.0 {
            Kind::System => system::now(),
            Kind::Tokio(tokio) => tokio.now(),
        }
    }

    /// A reading that may lag by up to [`COARSE_LAG`], for the hit path. It takes a quarter of the time.
    #[inline]
    pub(crate) fn coarse_now(&self) -> Now {
        match &self.0 {
            Kind::System => system::coarse_now(),
            Kind::Tokio(tokio) => tokio.now(),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::System => "Clock::system()",
            Kind::Tokio(_) => "Clock::tokio()",
        })
    }
}

/// Coarse clocks advance with the kernel's tick, at least 100 times a second.
pub(crate) const COARSE_LAG: Duration = Duration::from_millis(10);

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    use super::Now;

    pub(super) fn now() -> Now {
        Now {
            monotonic: read(ClockId::Monotonic),
            wall: read(ClockId::Realtime),
        }
    }

    #[inline]
    pub(super) fn coarse_now() -> Now {
        Now {
            monotonic: read(ClockId::MonotonicCoarse),
            wall: read(ClockId::RealtimeCoarse),
        }
    }

    /// These clocks exist on every Linux; a time before 1970 counts as 1970.
    #[inline]
    fn read(clock: ClockId) -> Duration {
        Duration::try_from(clock_gettime(clock)).unwrap_or_default()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{
        sync::LazyLock,
        time::{Instant, SystemTime},
    };

    use super::{Now, since_epoch};

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn now() -> Now {
        Now {
            monotonic: START.elapsed(),
            wall: since_epoch(SystemTime::now()),
        }
    }

    pub(super) fn coarse_now() -> Now {
        now()
    }
}

impl Tokio {
    fn now(&self) -> Now {
        let monotonic = self.started.elapsed();
        let stepped = self.stepped.load(Ordering::Relaxed);
        let wall = self.started_wall + monotonic;
        let distance = Duration::from_nanos(stepped.unsigned_abs());
        Now {
            monotonic,
            wall: if stepped < 0 {
                wall.saturating_sub(distance)
            } else {
                wall + distance
            },
        }
    }
}

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// Since a start that is the same for all readings of one clock.
    pub(crate) monotonic: Duration,
    /// Since the Unix epoch.
    pub(crate) wall: Duration,
}

impl Now {
    pub(crate) fn wall_time(self) -> SystemTime {
        UNIX_EPOCH + self.wall
    }

    /// The moment `wait` from now, on both clocks.
    pub(crate) fn after(self, wait: Duration) -> Moment {
        Moment {
            monotonic: self.monotonic.saturating_add(wait),
            wall: self.wall.saturating_add(wait),
        }
    }

    /// The same reading, taken that much earlier.
    pub(crate) fn earlier(self, by: Duration) -> Earlier {
        Earlier { now: self, by }
    }
}

/// A reading from before now, which may lie before the monotonic clock's own start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Earlier {
    now: Now,
    by: Duration,
}

impl Earlier {
    /// The moment `wait` after this one.
    pub(crate) fn after(self, wait: Duration) -> Moment {
        self.now.after(wait.saturating_sub(self.by))
    }

    pub(crate) fn wall_time(self) -> SystemTime {
        UNIX_EPOCH + self.now.wall.saturating_sub(self.by)
    }
}

/// A moment on both clocks. It is reached when either clock reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    monotonic: Duration,
    wall: Duration,
}

impl Moment {
    #[inline]
    pub(crate) fn is_reached(self, now: Now) -> bool {
        now.monotonic >= self.monotonic || now.wall >= self.wall
    }

    /// How long until it is reached; zero when it is.
    pub(crate) fn remaining(self, now: Now) -> Duration {
        let monotonic = self.monotonic.saturating_sub(now.monotonic);
        monotonic.min(self.wall.saturating_sub(now.wall))
    }

    pub(crate) fn before(self, by: Duration) -> Self {
        Self {
            monotonic: self.monotonic.saturating_sub(by),
            wall: self.wall.saturating_sub(by),
        }
    }

    /// Whether it is later than another by more than `by` on either clock. After a suspend only the wall clock has
    /// advanced.
    pub(crate) fn is_later(self, than: Self, by: Duration) -> bool {
        self.monotonic > than.monotonic.saturating_add(by)
            || self.wall > than.wall.saturating_add(by)
    }

    pub(crate) fn earlier_of(self, other: Self) -> Self {
        Self {
            monotonic: self.monotonic.min(other.monotonic),
            wall: self.wall.min(other.wall),
        }
    }

    pub(crate) fn wall_time(self) -> SystemTime {
        UNIX_EPOCH + self.wall
    }
}

pub(crate) fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn now(monotonic: u64, wall: u64) -> Now {
        Now {
            monotonic: Duration::from_nanos(monotonic),
            wall: Duration::from_nanos(wall),
        }
    }

    #[test]
    fn a_moment_is_reached_to_the_nanosecond_on_either_clock() {
        let moment = now(100, 1000).after(Duration::from_nanos(50));
        assert!(!moment.is_reached(now(149, 1049)));
        assert!(moment.is_reached(now(150, 0)));
        assert!(moment.is_reached(now(0, 1050)));
    }

    #[test]
    fn the_coarse_clock_is_never_ahead_and_not_far_behind() {
        let clock = Clock::system();
        for _ in 0..1000 {
            let before = clock.now();
            let coarse = clock.coarse_now();
            let after = clock.now();
            assert!(coarse.monotonic <= after.monotonic);
            // A busy machine counts a tick late. The next test checks the length of a tick.
            let held_up = Duration::from_secs(10);
            assert!(coarse.monotonic + held_up >= before.monotonic);
            assert!(coarse.wall.abs_diff(after.wall) <= held_up);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_coarse_lag_covers_the_machines_tick() {
        use rustix::time::{ClockId, clock_getres};

        for clock in [ClockId::MonotonicCoarse, ClockId::RealtimeCoarse] {
            let tick = Duration::try_from(clock_getres(clock)).unwrap();
            assert!(!tick.is_zero() && tick <= COARSE_LAG, "{clock:?}: {tick:?}");
        }
    }

    #[test]
    fn the_system_clock_is_the_machines() {
        let clock = Clock::system();
        let (before, wall, first) = (SystemTime::now(), clock.wall(), clock.now());
        assert!(wall >= before && wall <= SystemTime::now());
        while clock.now().monotonic == first.monotonic {}
        assert!(clock.now().monotonic > first.monotonic);
        assert!(clock.coarse_now().monotonic > Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_is_stepped_and_the_monotonic_one_is_not() {
        let clock = Clock::tokio();
        let start = clock.now();
        clock.step_wall_forward(Duration::from_secs(10));
        clock.step_wall_back(Duration::from_secs(3));
        assert_eq!(clock.now().wall, start.wall + Duration::from_secs(7));
        clock.step_wall_back(Duration::from_secs(20));
        assert_eq!(clock.now().wall, start.wall - Duration::from_secs(13));
        assert_eq!(clock.now().monotonic, start.monotonic);
    }

    #[test]
    fn what_remains_is_the_shorter_of_both() {
        let moment = now(100, 1000).after(Duration::from_nanos(50));
        assert_eq!(moment.remaining(now(110, 1030)), Duration::from_nanos(20));
        assert_eq!(moment.remaining(now(151, 1000)), Duration::ZERO);
    }

    #[test]
    fn an_earlier_start_may_lie_before_the_clock_began() {
        let start = now(10, 1000).earlier(Duration::from_nanos(500));
        assert_eq!(
            start.after(Duration::from_nanos(600)),
            now(110, 1100).moment()
        );
        assert!(
            start
                .after(Duration::from_nanos(500))
                .is_reached(now(10, 1000))
        );
    }

    impl Now {
        fn moment(self) -> Moment {
            self.after(Duration::ZERO)
        }
    }
}
