use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::sync::Notify;

use super::said::{Said, Why};
use crate::{error::FailureClass, policy::Policy};

/// How long the first in the queue may leave an open turn unused before another takes it. It is longer than a busy
/// runtime takes to poll a task that was woken.
const UNUSED: Duration = Duration::from_millis(500);

/// How many sources must fail in a row, without an answer to any source, before all wait: a failure of one may be its
/// own.
const STORM: usize = 3;

/// The decisions about an endpoint. No clock is read here, nothing is awaited, and no user's code runs.
///
/// # Invariants
///
/// 1. While the endpoint is paused no attempt starts.
/// 2. In any period the endpoint gets at most as many attempts as the rate says. One counts from its start until a period
///    after its end: it may reach the endpoint at any moment between the two. One that did not reach it does not count.
/// 3. At most `trust` attempts are under way. One that is never reported ends by itself when its bound passes: the
///    runtime of its source may be frozen.
/// 4. An open turn is used: whoever makes a turn possible wakes the first in the queue, who takes it or leaves the
///    queue, and then wakes the next. If the first is not polled, the others take the turn after [`UNUSED`].
pub(super) struct State {
    limits: Limits,
    queue: BTreeMap<Place, Arc<Notify>>,
    last_place: u64,
    under_way: Vec<UnderWay>,
    last_attempt: u64,
    /// When the attempts of the last period ended, in order. Those under way are not among them.
    ends: VecDeque<Duration>,
    /// How many attempts may be under way. 1 after a pause, and one more with each answer.
    trust: usize,
    /// When an attempt ended last.
    free_since: Duration,
    pause: Option<Pause>,
    /// Pauses in a row without an answer.
    pauses: u32,
    /// The sources that have failed since the last answer, up to [`STORM`].
    failed: Vec<SourceId>,
    rng: fastrand::Rng,
    /// Since the endpoint was built.
    pub(super) count: Count,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) concurrency: usize,
    pub(super) rate: Option<Rate>,
}

/// At most so many attempts in any period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) attempts: usize,
    pub(super) period: Duration,
}

/// Which source: the address of what it shares.
pub(super) type SourceId = usize;

/// A place in the queue: first by the moment from which requests wait, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    due: Duration,
    number: u64,
}

/// An attempt that was admitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    number: u64,
    /// When it no longer counts.
    until: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) until: Duration,
    pub(super) why: Why,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) attempts: u64,
    pub(super) pauses: u64,
    pub(super) held_back: u64,
}

/// What the owner of a place does now.
#[derive(Debug)]
pub(super) enum Turn {
    /// Make an attempt.
    Now(UnderWay),
    /// Look again, at the latest after this long.
    Later(Duration),
    /// Do not wait: the pause is longer than its patience.
    HeldBack(Why, Duration),
}

/// How long an owner is ready to wait for a pause, and how long its attempt may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) patience: Duration,
    pub(super) attempt: Duration,
}

impl State {
    pub(super) fn new(limits: Limits, rng: fastrand::Rng) -> Self {
        Self {
            trust: limits.concurrency,
            limits,
            queue: BTreeMap::new(),
            last_place: 0,
            under_way: Vec::new(),
            last_attempt: 0,
            ends: VecDeque::new(),
            free_since: Duration::ZERO,
            pause: None,
            pauses: 0,
            failed: Vec::new(),
            rng,
            count: Count::default(),
        }
    }

    /// `due`: from when on requests wait.
    pub(super) fn enter(&mut self, due: Duration, wake: Arc<Notify>) -> Place {
        self.last_place += 1;
        let place = Place {
            due,
            number: self.last_place,
        };
        self.queue.insert(place, wake);
        place
    }

    /// Moves a place forward: requests wait for it now.
    pub(super) fn hurry(&mut self, place: Place, due: Duration) -> Place {
        let earlier = Place { due, ..place };
        if earlier < place
            && let Some(wake) = self.queue.remove(&place)
        {
            self.queue.insert(earlier, wake);
            return earlier;
        }
        place
    }

    pub(super) fn leave(&mut self, place: Place) {
        if self.queue.remove(&place).is_some() {
            self.wake_first();
        }
    }

    /// Decides about a place. One that is done with is no longer in the queue.
    pub(super) fn turn(&mut self, place: Place, now: Duration, bounds: Bounds) -> Turn {
        if let Some(pause) = self.paused(now) {
            let left = pause.until - now;
            if left > bounds.patience {
                self.count.held_back += 1;
                self.leave(place);
                return Turn::HeldBack(pause.why, left);
            }
        }
        let opens = self.opens_at(now);
        if opens > now {
            return Turn::Later(opens - now);
        }
        let is_first = self.queue.keys().next() == Some(&place);
        if !is_first && now - opens < UNUSED {
            return Turn::Later(UNUSED);
        }
        let attempt = self.start(now, bounds.attempt);
        self.leave(place);
        Turn::Now(attempt)
    }

    fn start(&mut self, now: Duration, bound: Duration) -> UnderWay {
        self.last_attempt += 1;
        self.count.attempts += 1;
        let attempt = UnderWay {
            number: self.last_attempt,
            until: now.saturating_add(bound),
        };
        self.under_way.push(attempt);
        attempt
    }

    /// When the next attempt may start. In the past if it may start now.
    fn opens_at(&mut self, now: Duration) -> Duration {
        self.end_overdue(now);
        let pause = self.pause.map_or(Duration::ZERO, |pause| pause.until);
        pause
            .max(self.rate_opens_at(now))
            .max(self.trust_opens_at(now))
    }

    fn rate_opens_at(&mut self, now: Duration) -> Duration {
        let Some(rate) = self.limits.rate else {
            return Duration::ZERO;
        };
        while let Some(end) = self.ends.front()
            && self.ends.len() > rate.attempts
            && *end + rate.period <= now
        {
            self.ends.pop_front();
        }
        let free = rate.attempts.saturating_sub(self.under_way.len());
        if free == 0 {
            return self.next_bound(now);
        }
        let last = self.ends.len().checked_sub(free);
        last.map_or(Duration::ZERO, |at| self.ends[at] + rate.period)
    }

    fn trust_opens_at(&self, now: Duration) -> Duration {
        match self.under_way.len() < self.trust {
            true => self.free_since,
            false => self.next_bound(now),
        }
    }

    /// When the next attempt that is never reported ends.
    fn next_bound(&self, now: Duration) -> Duration {
        let bounds = self.under_way.iter().map(|attempt| attempt.until);
        bounds.min().unwrap_or(now)
    }

    /// Ends the attempts whose bound has passed.
    fn end_overdue(&mut self, now: Duration) {
        let is_over = |it: &mut UnderWay| it.until <= now;
        let over: Vec<_> = self.under_way.extract_if(.., is_over).collect();
        for attempt in over {
            self.note_end(attempt.until);
        }
    }

    /// From now on an attempt is no longer under way. `is_sent`: it may have reached the endpoint.
    fn end(&mut self, attempt: UnderWay, is_sent: bool, now: Duration) {
        let before = self.under_way.len();
        self.under_way.retain(|it| it.number != attempt.number);
        if is_sent && self.under_way.len() < before {
            self.note_end(now);
        }
        self.free_since = now;
    }

    fn note_end(&mut self, at: Duration) {
        if self.limits.rate.is_some() {
            let place = self.ends.partition_point(|end| *end <= at);
            self.ends.insert(place, at);
        }
    }

    /// An attempt has ended. Returns the pause that it begins.
    pub(super) fn ended(
        &mut self,
        attempt: UnderWay,
        source: SourceId,
        said: Said,
        now: Duration,
    ) -> Option<Pause> {
        self.end(attempt, said != Said::NotAsked, now);
        let begins = match said {
            Said::NotAsked => {
                self.count.attempts -= 1;
                None
            }
            Said::Answered => {
                self.answered(now);
                None
            }
            // The pause that has begun answers it: many that were sent together are not a sequence of failures.
            Said::Wait(None, _) if self.paused(now).is_some() => None,
            Said::Wait(wait, why) => {
                let wait = wait.unwrap_or_else(|| self.back_off());
                self.begin_pause(now.saturating_add(wait), why, now)
            }
            Said::Failed(why) => self.failed(source, why, now),
        };
        match begins {
            // Those who do not want to wait so long leave.
            Some(_) => self.queue.values().for_each(|wake| wake.notify_one()),
            None => self.wake_first(),
        }
        begins
    }

    /// An attempt is about to be sent, which may be long after it was admitted. Returns whether it still may be: it counts
    /// from now on. If not, it needs another turn.
    pub(super) fn renew(&mut self, attempt: UnderWay, now: Duration, bound: Duration) -> bool {
        if self.paused(now).is_some() {
            return false;
        }
        let mut under_way = self.under_way.iter_mut();
        let own = under_way.find(|it| it.number == attempt.number);
        own.map(|it| it.until = now.saturating_add(bound)).is_some()
    }

    /// An attempt has ended, and nobody says how. It may have reached the endpoint.
    pub(super) fn dropped(&mut self, attempt: UnderWay, now: Duration) {
        self.end(attempt, true, now);
        self.wake_first();
    }

    /// An answer to an attempt from before the pause says nothing about the pause.
    fn answered(&mut self, now: Duration) {
        if self.paused(now).is_none() {
            self.failed.clear();
            self.pause = None;
            self.pauses = 0;
            self.trust = self.limits.concurrency.min(self.trust + 1);
        }
    }

    fn failed(&mut self, source: SourceId, why: Why, now: Duration) -> Option<Pause> {
        if self.paused(now).is_some() {
            return None;
        }
        if !self.failed.contains(&source) {
            self.failed.push(source);
        }
        // After a pause the first failure is enough: nothing has been answered since.
        if self.pauses == 0 && self.failed.len() < STORM {
            return None;
        }
        let wait = self.back_off();
        self.begin_pause(now.saturating_add(wait), why, now)
    }

    /// Begins a pause, or lengthens the one that lasts.
    fn begin_pause(&mut self, until: Duration, why: Why, now: Duration) -> Option<Pause> {
        if self.pause.is_some_and(|pause| pause.until >= until) {
            return None;
        }
        if self.paused(now).is_none() {
            self.pauses = self.pauses.saturating_add(1);
            self.count.pauses += 1;
        }
        let pause = Pause { until, why };
        self.pause = Some(pause);
        self.trust = 1;
        self.failed.clear();
        Some(pause)
    }

    /// The wait when the endpoint did not name one: 1 s, doubling to 60 s.
    fn back_off(&mut self) -> Duration {
        let failures = self.pauses.saturating_add(1);
        Policy::default().back_off(FailureClass::Transient, failures, self.rng.f64())
    }

    pub(super) fn draw(&mut self) -> f64 {
        self.rng.f64()
    }

    fn wake_first(&self) {
        if let Some(wake) = self.queue.values().next() {
            wake.notify_one();
        }
    }

    pub(super) fn paused(&self, now: Duration) -> Option<Pause> {
        self.pause.filter(|pause| now < pause.until)
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }
}
