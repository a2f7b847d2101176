//! One process `call`, looked at while it runs.

use std::{
    io::Read,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::{
    CONCURRENCY, RATE, TIMEOUT,
    process::{Look, OnDrop, example},
};

pub(crate) struct Call {
    process: OnDrop,
    looks: Vec<(Duration, Look)>,
}

/// A `call` that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
    pub(crate) advice: String,
    pub(crate) looks: Vec<(Duration, Look)>,
}

impl Call {
    /// By a command line that `banks` printed: a variable, `cargo run … --`, and the arguments.
    pub(crate) fn start(line: &str, duration: Duration) -> Self {
        let (variable, rest) = line.split_once(' ').unwrap();
        let (name, secret) = variable.split_once('=').unwrap();
        let (_, args) = rest.split_once(" -- ").unwrap();
        let client = match args.contains("avista") || args.contains("bankly") {
            true => "reqwest",
            false => "hyper",
        };
        let mut command = Command::new(example("call"));
        command.env(name, secret).args(args.split(' '));
        command.args(["--client", client]);
        command.env("MALLOC_ARENA_MAX", "1");
        for (option, value) in [
            ("--rate", RATE.to_string()),
            ("-c", CONCURRENCY.to_string()),
            ("--timeout", TIMEOUT.as_secs().to_string()),
            ("--duration", duration.as_secs().to_string()),
        ] {
            command.args([option, &value]);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            process: OnDrop(command.spawn().unwrap()),
            looks: Vec::new(),
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.0.try_wait().unwrap().is_none()
    }

    /// One that has ended meanwhile has nothing to look at.
    pub(crate) fn look(&mut self, age: Duration) {
        if let Ok(look) = Look::at(&self.process.0) {
            self.looks.push((age, look));
        }
    }

    pub(crate) fn end(mut self) -> Ended {
        let (mut figures, mut advice) = (String::new(), String::new());
        let process = &mut self.process.0;
        process
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut figures)
            .unwrap();
        process
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut advice)
            .unwrap();
        Ended {
            code: process.wait().unwrap().code(),
            report: serde_json::from_str(&figures).expect("one JSON object"),
            advice,
            looks: self.looks,
        }
    }
}
