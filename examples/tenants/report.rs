//! What is shown: how far it is, and at the end each promise with what was measured.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use indicatif::{ProgressBar, ProgressStyle};

struct Row {
    promise: &'static str,
    measured: String,
    is_kept: bool,
}

pub(crate) struct Report {
    rows: Vec<Row>,
    bar: ProgressBar,
    is_terminal: bool,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            bar: ProgressBar::hidden(),
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows what is done next: on a terminal as a bar, if it has steps to count, else as a line.
    pub(crate) fn scene(&mut self, what: &'static str, steps: usize) -> ProgressBar {
        self.bar.finish_and_clear();
        if !self.is_terminal {
            eprintln!("{what} …");
            return self.bar.clone();
        }
        let (bar, template) = match steps {
            0 => (ProgressBar::new_spinner(), "{elapsed:>3} {spinner} {msg}"),
            _ => (
                ProgressBar::new(steps as u64),
                "{elapsed:>3} {msg} {wide_bar} {pos}/{len}",
            ),
        };
        self.bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        self.bar.set_message(what);
        self.bar.clone()
    }

    pub(crate) fn check(&mut self, promise: &'static str, measured: String, is_kept: bool) {
        self.rows.push(Row {
            promise,
            measured,
            is_kept,
        });
    }

    /// Prints the table.
    pub(crate) fn finish(self) -> ExitCode {
        self.bar.finish_and_clear();
        let widest = |text: fn(&Row) -> &str| {
            let widths = self.rows.iter().map(|row| text(row).chars().count());
            widths.max().unwrap_or(0)
        };
        let (first, second) = (widest(|it| it.promise), widest(|it| &it.measured));
        println!("{:<first$} | {:<second$} | verdict", "promise", "measured");
        for row in &self.rows {
            let verdict = match row.is_kept {
                true => "kept",
                false => "BROKEN",
            };
            println!(
                "{:<first$} | {:<second$} | {verdict}",
                row.promise, row.measured
            );
        }
        if self.rows.iter().all(|it| it.is_kept) {
            return ExitCode::SUCCESS;
        }
        eprintln!("A promise broke.");
        ExitCode::FAILURE
    }
}
