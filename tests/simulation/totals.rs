//! How much was driven.

use std::{fmt, ops::AddAssign};

use crate::record::{End, Outcome, Record, Wish};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    seeds: u64,
    requests: u64,
    bare: u64,
    fetches: u64,
    faults: u64,
    cancellations: u64,
    rejections: u64,
    retries: u64,
    failures: u64,
    steps: u64,
    suspends: u64,
    revocations: u64,
    nanoseconds: u64,
}

impl Totals {
    pub(crate) fn of(record: &Record) -> Self {
        let callers = &record.callers;
        let count =
            |it: fn(&&crate::record::Caller) -> bool| callers.iter().filter(it).count() as u64;
        let arrivals = callers.iter().flat_map(|it| &it.arrivals);
        let rejected = |it: &&crate::record::Arrival| matches!(it.answered, Some((_, 401 | 403)));
        let faults = record.attempts.iter();
        Self {
            seeds: 1,
            requests: count(|it| matches!(it.wish, Wish::Request { .. })),
            bare: count(|it| matches!(it.wish, Wish::Token)),
            fetches: record.attempts.len() as u64,
            faults: faults
                .filter(|it| !matches!(it.end, Some((_, End::Token(_)))))
                .count() as u64,
            cancellations: count(|it| matches!(it.end, None | Some((_, Outcome::Cancelled)))),
            rejections: arrivals.filter(rejected).count() as u64,
            retries: count(|it| it.arrivals.len() > 1),
            failures: count(|it| matches!(it.end, Some((_, Outcome::Rejected { .. })))),
            steps: record.steps_forward + record.steps_back.len() as u64,
            suspends: record.suspends,
            revocations: record.revocations,
            nanoseconds: record.finished.map_or(0, |it| it.truth.unsigned_abs()),
        }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.requests += other.requests;
        self.bare += other.bare;
        self.fetches += other.fetches;
        self.faults += other.faults;
        self.cancellations += other.cancellations;
        self.rejections += other.rejections;
        self.retries += other.retries;
        self.failures += other.failures;
        self.steps += other.steps;
        self.suspends += other.suspends;
        self.revocations += other.revocations;
        self.nanoseconds += other.nanoseconds;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.nanoseconds / 3_600_000_000_000;
        let lines = [
            (self.seeds, "seeds"),
            (hours, "simulated hours"),
            (self.requests, "requests"),
            (self.bare, "callers who wanted the token itself"),
            (self.cancellations, "cancellations of either"),
            (self.failures, "answered with an error of ours, rightly"),
            (self.fetches, "token requests"),
            (self.faults, "of them in vain: faults of the token endpoint"),
            (self.rejections, "rejections by the API"),
            (self.retries, "retries"),
            (self.revocations, "revocations of all tokens"),
            (self.steps, "steps of the wall clock"),
            (self.suspends, "suspends"),
        ];
        for (number, what) in lines {
            writeln!(f, "{number:>12} {what}")?;
        }
        Ok(())
    }
}
