//! The processes of a fleet, and the bank they call.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
};

use tower_oauth::testing::Bank;

pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const OTHER_KEY: &str = "//////////////////////////////////////////8=";

/// A process, which answers a line for each line.
pub(crate) struct Replica {
    child: Child,
    input: Option<ChildStdin>,
    output: Arc<Mutex<BufReader<ChildStdout>>>,
}

/// What replicas are started with.
#[derive(Clone)]
pub(crate) struct Settings(Vec<(&'static str, String)>);

impl Settings {
    pub(crate) fn new(bank: &Bank, redis: &str) -> Self {
        Self(vec![
            ("FLEET_ID", bank.client_id().into()),
            ("FLEET_SECRET", bank.client_secret().into()),
            ("FLEET_TOKEN_URL", bank.token_url()),
            ("FLEET_API", bank.api_origin()),
            ("FLEET_URL", bank.api_url()),
            ("FLEET_REDIS", redis.into()),
            ("FLEET_KEY", KEY.into()),
        ])
    }

    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut settings = self.clone();
        settings.0.retain(|(known, _)| *known != name);
        settings.0.push((name, value.into()));
        settings
    }

    pub(crate) fn start(&self) -> Replica {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["worker::worker", "--exact", "--ignored", "--nocapture"])
            .envs(self.0.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        Replica {
            input: child.stdin.take(),
            output: Arc::new(Mutex::new(BufReader::new(output))),
            child,
        }
    }

    pub(crate) fn fleet(&self, count: usize) -> Vec<Replica> {
        (0..count).map(|_| self.start()).collect()
    }
}

impl Replica {
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) async fn answer(&self) -> String {
        let output = Arc::clone(&self.output);
        let read = move || {
            let mut output = output.lock().unwrap();
            let mut line = String::new();
            loop {
                line.clear();
                assert_ne!(output.read_line(&mut line).unwrap(), 0, "the worker ended");
                if let Some(answer) = line.strip_prefix("> ") {
                    return answer.trim().to_owned();
                }
            }
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.answer().await
    }

    /// The token, which must be there.
    pub(crate) async fn token(&mut self) -> String {
        let answer = self.ask("token").await;
        let words: Vec<_> = answer.split(' ').collect();
        assert_eq!(words[0], "ok", "{answer}");
        words[3].to_owned()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells all at once, and returns all answers.
pub(crate) async fn all(fleet: &mut [Replica], line: &str) -> Vec<String> {
    fleet.iter_mut().for_each(|it| it.tell(line));
    let mut answers = Vec::new();
    for replica in fleet {
        answers.push(replica.answer().await);
    }
    answers
}

/// How many requests got a good answer, and how many did not.
pub(crate) fn sums(answers: &[String]) -> (u32, u32) {
    let pairs = answers.iter().map(|it| it.split_once(' ').unwrap());
    pairs.fold((0, 0), |(good, bad), (more, worse)| {
        (
            good + more.parse::<u32>().unwrap(),
            bad + worse.parse::<u32>().unwrap(),
        )
    })
}

/// How many seconds the token has left, by a status.
pub(crate) fn lifetime_left(status: &str) -> f64 {
    let status: serde_json::Value = serde_json::from_str(status).unwrap();
    status["expires_in_s"].as_f64().unwrap()
}
