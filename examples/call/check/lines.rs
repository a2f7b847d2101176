//! The report for people: a line for each step, and one for its remedy.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use super::{
    report::Step,
    step::{Kind, Target, Verdict},
};
use crate::terminal::escaped;

pub(super) struct Lines {
    /// Colours are for terminals, and not for all who read them.
    colour: bool,
}

impl Lines {
    pub(super) fn new() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        Self {
            colour: io::stdout().is_terminal() && !unwanted,
        }
    }

    pub(super) fn step(&self, step: &Step) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let verdict = self.verdict(step.verdict);
        let place = place(step.target, step.step);
        write!(out, "{verdict} {place:<36} {}", one_line(&step.detail))?;
        match step.took_ms {
            0.0 => writeln!(out)?,
            took => writeln!(out, " ({took:.0} ms)")?,
        }
        if let Some(remedy) = step.remedy.as_deref().filter(|it| !it.is_empty()) {
            writeln!(out, "        -> {}", one_line(remedy))?;
        }
        exchange(step).try_for_each(|line| writeln!(out, "        {}", one_line(line)))?;
        out.flush()
    }

    /// One line for steps that follow one another and have the same reason.
    pub(super) fn skipped(&self, target: Target, kinds: &[Kind], reason: &str) -> io::Result<()> {
        let names = match kinds {
            [] => return Ok(()),
            [one] => one.name.to_owned(),
            [first, .., last] => format!("{} to {}", first.name, last.name),
        };
        let place = place(Some(target), &names);
        let verdict = self.verdict(Verdict::Skipped);
        let reason = one_line(reason);
        writeln!(io::stdout(), "{verdict} {place:<36} {reason}")
    }

    /// Where the way ends, if it does.
    pub(super) fn end(&self, failed: Option<&Step>, steps: &[Step]) -> io::Result<()> {
        let warnings = steps.iter().filter(|it| it.verdict == Verdict::Warning);
        let text = match (failed, warnings.count()) {
            (Some(step), _) => format!("The check failed at: {}.", place(step.target, step.step)),
            (None, 0) => "All steps succeeded.".into(),
            (None, 1) => "It works, with 1 warning.".into(),
            (None, many) => format!("It works, with {many} warnings."),
        };
        writeln!(io::stdout(), "{text}")
    }

    fn verdict(&self, verdict: Verdict) -> String {
        let colour = match verdict {
            Verdict::Skipped => "2",
            Verdict::Ok => "32",
            Verdict::Warning => "33",
            Verdict::Failed => "31",
        };
        let word = format!("{:<7}", verdict.word());
        match self.colour {
            true => format!("\x1b[{colour}m{word}\x1b[0m"),
            false => word,
        }
    }
}

fn place(target: Option<Target>, name: &str) -> String {
    let name = name.replace('_', " ");
    match target.map(Target::words) {
        Some(target) => format!("{target}: {name}"),
        None => name,
    }
}

/// The lines of each token request and its answer.
fn exchange(step: &Step) -> impl Iterator<Item = &str> {
    let attempts = step.facts.get("exchange").and_then(|it| it.as_array());
    let attempts = attempts.into_iter().flatten().filter_map(|it| it.as_str());
    attempts.flat_map(str::lines)
}

/// A server's text must not look like a line of the report.
fn one_line(text: &str) -> String {
    escaped(text).replace(['\n', '\t'], " ")
}
