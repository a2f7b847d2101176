use std::{collections::VecDeque, time::SystemTime};

use serde::Serialize;
use tower_oauth::Status;

use super::view::{Tone, millis};

const LENGTH: usize = 5;

/// What happened to a source lately, the newest first. A status tells of the last fetch only.
pub(super) struct History {
    last: Status,
    entries: VecDeque<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Entry {
    pub(super) at: u64,
    pub(super) tone: Tone,
    pub(super) what: String,
    /// In milliseconds.
    pub(super) took: Option<u64>,
}

impl History {
    pub(super) fn new(status: Status) -> Self {
        Self {
            last: status,
            entries: VecDeque::new(),
        }
    }

    /// Compares with the status before. Changes that came together are one status, so an entry may stand for several.
    pub(super) fn record(&mut self, status: Status) {
        let last = &self.last;
        if status.counters.rejections > last.counters.rejections {
            self.push(
                status.at,
                Tone::Warn,
                "the API rejected a token".into(),
                None,
            );
        }
        let failed_before = self.last.last_failure.as_ref().map(|it| it.at);
        if let Some(failure) = &status.last_failure
            && Some(failure.at) != failed_before
        {
            let what = match failure.attempts {
                0 | 1 => format!("{} ({})", failure.kind, failure.class.as_str()),
                attempts => format!(
                    "{} ({}), {attempts} attempts",
                    failure.kind,
                    failure.class.as_str()
                ),
            };
            self.push(failure.at, Tone::Bad, what, took(&status));
        }
        if let Some(at) = status.last_success
            && Some(at) != self.last.last_success
        {
            let number = status.generation.unwrap_or_default();
            let what = match status.generation == self.last.generation {
                true => format!("the same token {number} again"),
                false => format!("token {number}"),
            };
            self.push(at, Tone::Good, what, took(&status));
        }
        self.last = status;
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }

    fn push(&mut self, at: SystemTime, tone: Tone, what: String, took: Option<u64>) {
        self.entries.push_front(Entry {
            at: millis(at),
            tone,
            what,
            took,
        });
        self.entries.truncate(LENGTH);
    }
}

fn took(status: &Status) -> Option<u64> {
    let took = status.last_fetch_duration?;
    u64::try_from(took.as_millis()).ok()
}
