//! What a record comes to by the rules: which fetches there were, and which token the source held when. It is worked
//! out anew from what those outside saw, and shares nothing with the crate.

use std::time::Duration;

use tower_oauth::{FailureClass, Margin, Policy};

use crate::{
    record::{At, Attempt, Caller, End, Grant, Nanos, Outcome, Record},
    scenario::Scenario,
    world::nanos,
};

pub(crate) struct Story<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) record: &'a Record,
    pub(crate) fetches: Vec<Fetch<'a>>,
    /// The tokens that the source took, in order.
    pub(crate) holdings: Vec<Holding>,
    pub(crate) rejections: Vec<Rejection>,
}

/// One fetch: its attempts, and how it ended.
pub(crate) struct Fetch<'a> {
    pub(crate) attempts: &'a [Attempt],
    pub(crate) end: Option<(At, FetchEnd)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchEnd {
    Succeeded,
    Failed {
        class: FailureClass,
        retry_after: Option<Nanos>,
    },
}

const TIMED_OUT: FetchEnd = FetchEnd::Failed {
    class: FailureClass::Transient,
    retry_after: None,
};

/// A token came that had none.
const WITHOUT_LIFE: FetchEnd = FetchEnd::Failed {
    class: FailureClass::Unclear,
    retry_after: None,
};

/// A token in the source's hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) from: At,
    pub(crate) anchor: At,
    pub(crate) grant: Grant,
    pub(crate) until: Reach,
    /// When it expires by the first answer that brought it.
    pub(crate) first_said: Reach,
    /// Before this nobody may refresh it ahead.
    pub(crate) refreshable: Reach,
    /// The endpoint handed out what the source had.
    pub(crate) repeated: bool,
}

/// A point on both clocks, reached when either gets there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    mono: Nanos,
    wall: Nanos,
}

/// An answer of the API that counts as a rejection of the token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rejection {
    pub(crate) at: At,
    pub(crate) serial: u64,
    pub(crate) definite: bool,
}

/// Two answers that speak of ends this far apart may mean the same.
const SAME_END: Nanos = 2_000_000_000;

impl<'a> Story<'a> {
    pub(crate) fn of(scenario: &'a Scenario, record: &'a Record) -> Self {
        let mut story = Self {
            scenario,
            record,
            fetches: Vec::new(),
            holdings: Vec::new(),
            rejections: rejections(scenario, record),
        };
        for attempts in record.attempts.chunk_by(|_, next| next.number > 1) {
            let end = story.fetch_end(attempts);
            story.fetches.push(Fetch { attempts, end });
        }
        story
    }

    /// What the source held at a moment.
    pub(crate) fn held(&self, at: At) -> Option<&Holding> {
        let until = self
            .holdings
            .partition_point(|it| it.from.order <= at.order);
        self.holdings[..until].last()
    }

    /// The token that a request could have had at a moment.
    pub(crate) fn usable(&self, at: At) -> Option<&Holding> {
        self.held(at).filter(|it| !it.until.is_reached(at))
    }

    pub(crate) fn was_rejected(&self, serial: u64, before: At, definite: bool) -> bool {
        self.rejections
            .iter()
            .any(|it| it.serial == serial && it.definite == definite && it.at.order < before.order)
    }

    /// Whether the API answered a request with this token well before a moment.
    pub(crate) fn was_accepted(&self, serial: u64, before: At) -> bool {
        let mut arrivals = self.record.callers.iter().flat_map(|it| &it.arrivals);
        arrivals.any(|it| {
            let good =
                |(at, status): (At, u16)| at.order < before.order && (200..300).contains(&status);
            it.serial == serial && it.answered.is_some_and(good)
        })
    }

    /// When a token was definitely rejected for the first time.
    pub(crate) fn first_rejected(&self, serial: u64) -> Option<At> {
        let rejections = self.rejections.iter().filter(|it| it.definite);
        let of_it = rejections.filter(|it| it.serial == serial).map(|it| it.at);
        of_it.min_by_key(|it| it.order)
    }

    /// Whether a fetch ended in vain between two moments.
    pub(crate) fn has_failed(&self, from: At, to: At) -> bool {
        let mut ends = self.fetches.iter().filter_map(|it| it.end);
        ends.any(|(at, end)| {
            end != FetchEnd::Succeeded && (from.order..to.order).contains(&at.order)
        })
    }

    /// Whether the wall clock went back a little before a moment.
    pub(crate) fn stepped_back(&self, at: At, within: Duration) -> bool {
        let from = at.mono - nanos(within);
        let mut steps = self.record.steps_back.iter();
        steps.any(|step| (from..=at.mono).contains(&step.mono))
    }

    /// Callers who saw what came of their wish.
    pub(crate) fn answered(&self) -> impl Iterator<Item = (&Caller, At, Outcome)> {
        let callers = self.record.callers.iter();
        callers.filter_map(|it| it.end.map(|(at, outcome)| (it, at, outcome)))
    }

    /// Every moment at which a token was handed over: attached, or given to a caller.
    pub(crate) fn uses(&self) -> impl Iterator<Item = (At, u64)> {
        let attached = self.record.callers.iter().flat_map(|it| &it.arrivals);
        let given = self
            .answered()
            .filter_map(|(_, at, outcome)| match outcome {
                Outcome::Token { serial, .. } => Some((at, serial)),
                _ => None,
            });
        attached.map(|it| (it.at, it.serial)).chain(given)
    }

    fn fetch_end(&mut self, attempts: &[Attempt]) -> Option<(At, FetchEnd)> {
        let (last, before) = attempts.split_last()?;
        for attempt in before {
            // Had it been of any use, the fetch would have ended with it, and the source would hold it.
            if let Some((at, End::Token(grant))) = attempt.end {
                self.take(attempt.at, at, grant);
            }
        }
        let (at, end) = last.end?;
        let end = match end {
            End::Failed { class, retry_after } => FetchEnd::Failed { class, retry_after },
            End::Cut => self.cut_short(attempts, at),
            End::Token(grant) => match self.take(last.at, at, grant) {
                true => FetchEnd::Succeeded,
                false => WITHOUT_LIFE,
            },
        };
        Some((at, end))
    }

    /// How a fetch ends whose last attempt was cut. Its own bound passes with what the attempt before failed with.
    fn cut_short(&self, attempts: &[Attempt], at: At) -> FetchEnd {
        let timeouts = &self.scenario.policy.timeouts;
        let [.., before, last] = attempts else {
            return TIMED_OUT;
        };
        if at.mono - last.at.mono >= nanos(timeouts.attempt) {
            return TIMED_OUT;
        }
        match before.end {
            Some((_, End::Failed { class, retry_after })) => {
                FetchEnd::Failed { class, retry_after }
            }
            Some((_, End::Token(_))) => WITHOUT_LIFE,
            Some((_, End::Cut)) | None => TIMED_OUT,
        }
    }

    /// Whether a token still had life when it came; it is held from then on.
    fn take(&mut self, anchor: At, from: At, grant: Grant) -> bool {
        let life = Life::of(&self.scenario.policy, &grant);
        let mut end = Reach::after(anchor, life.lifetime - grant.age);
        let mut holding = Holding {
            from,
            anchor,
            grant,
            until: Reach::after(anchor, life.use_for - grant.age),
            first_said: end,
            refreshable: Reach::after(anchor, life.refreshable_after - grant.age),
            repeated: false,
        };
        let before = self.holdings.last();
        if let Some(before) = before.filter(|it| it.grant.serial == grant.serial) {
            holding.repeated = true;
            let is_used_up = before.until.is_reached(from);
            if !is_used_up || !end.is_later(before.first_said, SAME_END) {
                holding.until = holding.until.earlier_of(before.until);
                end = end.earlier_of(before.first_said);
                holding.first_said = before.first_said;
            }
        }
        if end.is_reached(from) {
            return false;
        }
        if holding.until.is_reached(from) {
            let left = end.remaining(from);
            holding.until = end.before(leeway(&self.scenario.policy, left));
        }
        if holding.repeated {
            holding.refreshable = holding.until;
        }
        self.holdings.push(holding);
        true
    }
}

impl Fetch<'_> {
    pub(crate) fn start(&self) -> At {
        self.attempts[0].at
    }

    pub(crate) fn succeeded_at(&self) -> Option<At> {
        match self.end {
            Some((at, FetchEnd::Succeeded)) => Some(at),
            _ => None,
        }
    }
}

impl Reach {
    fn after(anchor: At, wait: Nanos) -> Self {
        let wait = wait.max(0);
        Self {
            mono: anchor.mono + wait,
            wall: anchor.wall + wait,
        }
    }

    pub(crate) fn is_reached(self, at: At) -> bool {
        at.mono >= self.mono || at.wall >= self.wall
    }

    fn is_later(self, than: Self, by: Nanos) -> bool {
        self.mono > than.mono + by || self.wall > than.wall + by
    }

    fn remaining(self, at: At) -> Nanos {
        (self.mono - at.mono).min(self.wall - at.wall)
    }

    fn before(self, by: Nanos) -> Self {
        Self {
            mono: self.mono - by,
            wall: self.wall - by,
        }
    }

    fn earlier_of(self, other: Self) -> Self {
        Self {
            mono: self.mono.min(other.mono),
            wall: self.wall.min(other.wall),
        }
    }
}

/// The parts of a lifetime, as `lifecycle.md` has them.
struct Life {
    lifetime: Nanos,
    use_for: Nanos,
    refreshable_after: Nanos,
}

impl Life {
    fn of(policy: &Policy, grant: &Grant) -> Self {
        let stated = Duration::from_nanos(grant.lifetime.unsigned_abs());
        let age = Duration::from_nanos(grant.age.unsigned_abs());
        let lifetime = stated.min(age + policy.lifetime.max);
        let use_for = nanos(lifetime) - leeway(policy, nanos(lifetime));
        let margin = match policy.refresh.margin {
            Margin::Fixed(margin) => margin,
            Margin::Fraction(part) => lifetime.mul_f64(part).min(policy.refresh.max_margin),
            _ => lifetime,
        };
        let ahead = margin + lifetime.mul_f64(policy.refresh.jitter);
        let refreshable_after = nanos(lifetime - ahead.min(lifetime / 2));
        Self {
            lifetime: nanos(lifetime),
            use_for,
            refreshable_after: match policy.refresh.single_active {
                true => use_for,
                false => refreshable_after.min(use_for),
            },
        }
    }
}

fn leeway(policy: &Policy, lifetime: Nanos) -> Nanos {
    let lifetime = Duration::from_nanos(lifetime.unsigned_abs());
    nanos(policy.lifetime.leeway.min(lifetime.mul_f64(0.05)))
}

fn rejections(scenario: &Scenario, record: &Record) -> Vec<Rejection> {
    let arrivals = record.callers.iter().flat_map(|it| &it.arrivals);
    let answers = arrivals.filter_map(|it| it.answered.map(|(at, status)| (at, it.serial, status)));
    let by_answer = answers.filter_map(|(at, serial, status)| {
        let definite = match status {
            401 => true,
            403 if scenario.ambiguous => false,
            _ => return None,
        };
        Some(Rejection {
            at,
            serial,
            definite,
        })
    });
    let by_caller = record.invalidated.iter().map(|(at, serial)| Rejection {
        at: *at,
        serial: *serial,
        definite: true,
    });
    by_answer.chain(by_caller).collect()
}
