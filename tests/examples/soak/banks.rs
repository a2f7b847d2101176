//! The process `banks`.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::process::{OnDrop, example};

pub(crate) struct Banks {
    process: OnDrop,
    output: Lines<BufReader<ChildStdout>>,
    call_lines: Vec<String>,
}

impl Banks {
    pub(crate) fn open(seed: u64, lifetime: Duration) -> Self {
        let mut command = Command::new(example("banks"));
        command.args(["--port", "0", "--chaos", &seed.to_string()]);
        command.args(["--lifetime", &lifetime.as_secs().to_string()]);
        let mut process = OnDrop(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut output = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let opening = output
            .by_ref()
            .map(Result::unwrap)
            .take_while(|line| !line.starts_with("Open"));
        let call_lines = opening.filter(|line| !line.is_empty()).collect();
        Self {
            process,
            output,
            call_lines,
        }
    }

    /// Command lines of `call`, one for each bank.
    pub(crate) fn call_lines(&self) -> impl Iterator<Item = &str> {
        self.call_lines.iter().map(String::as_str)
    }

    /// What became of each bank.
    pub(crate) fn close(mut self) -> Vec<Value> {
        interrupt(&self.process.0);
        let reports = self
            .output
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        assert!(self.process.0.wait().unwrap().success(), "banks");
        reports
    }
}

/// By the shell, which has `kill` built in.
fn interrupt(process: &Child) {
    let line = format!("kill -INT {}", process.id());
    let status = Command::new("sh").args(["-c", &line]).status().unwrap();
    assert!(status.success(), "{line}");
}
