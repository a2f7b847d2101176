//! The steps that were taken: as lines while they are taken, or as one JSON object at the end.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};

use super::{
    lines::Lines,
    step::{Finding, Kind, Target, Verdict},
};
use crate::{args::Args, terminal::escaped};

pub(super) struct Report {
    /// `None` with `--json`.
    lines: Option<Lines>,
    steps: Vec<Step>,
    written: io::Result<()>,
}

/// A step as programs read it.
#[derive(Serialize)]
pub(super) struct Step {
    pub(super) step: &'static str,
    pub(super) target: Option<Target>,
    pub(super) verdict: Verdict,
    pub(super) detail: String,
    pub(super) remedy: Option<String>,
    pub(super) took_ms: f64,
    pub(super) facts: Map<String, Value>,
}

impl Step {
    fn new(target: Option<Target>, kind: Kind, took: Duration, finding: Finding) -> Self {
        Self {
            step: kind.name,
            target,
            verdict: finding.verdict,
            detail: finding.detail,
            remedy: finding.remedy,
            took_ms: took.as_micros() as f64 / 1000.0,
            facts: finding.facts,
        }
    }
}

impl Report {
    pub(super) fn new(args: &Args) -> Self {
        Self {
            lines: (!args.json).then(Lines::new),
            steps: Vec::new(),
            written: Ok(()),
        }
    }

    /// Takes a step, and gives up after a time.
    pub(super) async fn take<T>(
        &mut self,
        target: Target,
        kind: Kind,
        limit: Duration,
        step: impl Future<Output = (Finding, Option<T>)>,
    ) -> Option<T> {
        let started = Instant::now();
        let (finding, found) = match timeout(limit, step).await {
            Ok(done) => done,
            Err(_) => (kind.timed_out(limit), None),
        };
        self.add(Some(target), kind, started.elapsed(), finding);
        found
    }

    /// Notes what took no time of its own.
    pub(super) fn note(&mut self, target: Option<Target>, kind: Kind, finding: Finding) {
        self.add(target, kind, Duration::ZERO, finding);
    }

    pub(super) fn skip(&mut self, target: Target, kinds: &[Kind], reason: &str) {
        self.show(|lines| lines.skipped(target, kinds, reason));
        let skipped = |kind: &Kind| {
            let finding = Finding::skipped(reason);
            Step::new(Some(target), *kind, Duration::ZERO, finding)
        };
        self.steps.extend(kinds.iter().map(skipped));
    }

    fn add(&mut self, target: Option<Target>, kind: Kind, took: Duration, finding: Finding) {
        let step = Step::new(target, kind, took, finding);
        self.show(|lines| lines.step(&step));
        self.steps.push(step);
    }

    fn show(&mut self, write: impl FnOnce(&Lines) -> io::Result<()>) {
        if let (Some(lines), Ok(())) = (&self.lines, &self.written) {
            self.written = write(lines);
        }
    }

    /// Ends the report, with the exit status of what it says.
    pub(super) fn finish(self) -> io::Result<ExitCode> {
        self.written?;
        let failed = self.steps.iter().find(|it| it.verdict == Verdict::Failed);
        match &self.lines {
            Some(lines) => lines.end(failed, &self.steps)?,
            None => write_json(failed, &self.steps)?,
        }
        Ok(match failed {
            Some(_) => ExitCode::FAILURE,
            None => ExitCode::SUCCESS,
        })
    }
}

/// What the object has.
#[derive(Serialize)]
struct Document<'a> {
    verdict: Option<Verdict>,
    failed: Option<Place>,
    steps: &'a [Step],
}

#[derive(Serialize)]
struct Place {
    step: &'static str,
    target: Option<Target>,
}

fn write_json(failed: Option<&Step>, steps: &[Step]) -> io::Result<()> {
    let place = |it: &Step| Place {
        step: it.step,
        target: it.target,
    };
    let document = Document {
        verdict: steps.iter().map(|it| it.verdict).max(),
        failed: failed.map(place),
        steps,
    };
    // What this escapes, it escapes as JSON has it.
    let json = escaped(&serde_json::to_string(&document)?);
    writeln!(io::stdout(), "{json}")
}
