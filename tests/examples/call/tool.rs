//! Runs the built example against a bank of this process.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tokio::task::spawn_blocking;
use tower_oauth::testing::Bank;

const SECRET: &str = "OAUTH_CLIENT_SECRET";
const STORE_KEY: &str = "OAUTH_STORE_KEY";
const CERT_PASSWORD: &str = "OAUTH_CERT_PASSWORD";

pub(crate) const CLIENTS: [&str; 2] = ["hyper", "reqwest"];

/// A command line in the making.
#[derive(Clone)]
pub(crate) struct Call {
    args: Vec<String>,
    secret: Option<String>,
    secrets: Vec<String>,
    variables: Vec<(String, String)>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Call {
    /// With nothing but these options.
    pub(crate) fn bare(args: &[&str]) -> Self {
        Self {
            args: args.iter().map(ToString::to_string).collect(),
            secret: None,
            secrets: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// A good call of a bank, but for its address.
    pub(crate) fn at(bank: &Bank) -> Self {
        let call = Self::bare(&["--provider", bank.name()])
            .arg("--token-url", bank.token_url())
            .arg("--origin", bank.api_origin())
            .arg("--client-id", bank.client_id())
            .secret(bank.client_secret());
        match bank.name() {
            "bankly" => call.arg("--scope", "boleto.read"),
            _ => call,
        }
    }

    /// A good call of a bank.
    pub(crate) fn of(bank: &Bank) -> Self {
        Self::at(bank).url(bank.api_url())
    }

    pub(crate) fn url(self, url: impl Into<String>) -> Self {
        self.flag(&url.into())
    }

    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.args.push(flag.to_owned());
        self
    }

    /// An option; a further one of the same name comes after it.
    pub(crate) fn arg(self, name: &str, value: impl Into<String>) -> Self {
        self.flag(name).flag(&value.into())
    }

    pub(crate) fn secret(mut self, secret: &str) -> Self {
        self.secrets.push(secret.to_owned());
        self.secret = Some(secret.to_owned());
        self
    }

    /// The key that seals what is in a store.
    pub(crate) fn store_key(mut self, key: &str) -> Self {
        self.secrets.push(key.to_owned());
        self.variable(STORE_KEY, key)
    }

    /// Text that must not be shown.
    pub(crate) fn hiding(mut self, text: &str) -> Self {
        self.secrets.push(text.to_owned());
        self
    }

    pub(crate) fn cert_password(mut self, password: &str) -> Self {
        self.secrets.push(password.to_owned());
        self.variable(CERT_PASSWORD, password)
    }

    /// A variable of the environment; that of the secret is one.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        if name == SECRET {
            return self.secret(value);
        }
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without_secret(mut self) -> Self {
        self.secret = None;
        self
    }

    /// Runs it to its end; whatever it says, it does not say a secret.
    pub(crate) async fn run(self) -> Outcome {
        let mut command = Command::new(binary("call"));
        command.args(&self.args);
        for secret in [SECRET, STORE_KEY, CERT_PASSWORD] {
            command.env_remove(secret);
        }
        command.envs(self.variables);
        if let Some(secret) = &self.secret {
            command.env(SECRET, secret);
        }
        let output = spawn_blocking(move || command.output()).await.unwrap();
        let output = output.expect("the example is built: `cargo build --example call`");
        let outcome = Outcome {
            code: output.status.code().expect("an exit status"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for secret in &self.secrets {
            assert!(!outcome.stdout.contains(secret), "{}", outcome.stdout);
            assert!(!outcome.stderr.contains(secret), "{}", outcome.stderr);
        }
        outcome
    }
}

/// Cargo builds examples beside the folder of the tests.
pub(crate) fn binary(example: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile
        .join("examples")
        .join(format!("{example}{}", env::consts::EXE_SUFFIX))
}

impl Outcome {
    /// The one object on standard output: all of its fields, and figures that add up.
    pub(crate) fn report(&self) -> Value {
        let report: Value = serde_json::from_str(&self.stdout).expect("one JSON object");
        for (path, names) in [
            (
                "",
                ["requests", "status", "errors", "token", "latency_ms"].as_slice(),
            ),
            ("/latency_ms", &["p50", "p99", "max"]),
            (
                "/token",
                &[
                    "fetches",
                    "from_store",
                    "attempts",
                    "failures",
                    "refreshes_ahead",
                    "rejections",
                    "retries",
                    "generation",
                    "expires_in_s",
                ],
            ),
        ] {
            let object = report.pointer(path).unwrap().as_object().unwrap();
            let mut found: Vec<_> = object.keys().map(String::as_str).collect();
            let mut expected = names.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected);
        }
        let counted = sum(&report["status"]) + sum(&report["errors"]);
        assert_eq!(report["requests"], counted, "{}", self.stdout);
        report
    }

    /// It sent nothing, and says why.
    pub(crate) fn assert_usage_error(&self, says: &str) {
        assert_eq!(self.code, 2, "{says}: {}", self.stderr);
        assert_eq!(self.stdout, "", "{says}");
        assert!(self.stderr.contains(says), "{says}: {}", self.stderr);
    }
}

fn sum(counts: &Value) -> u64 {
    let counts = counts.as_object().unwrap().values();
    counts.map(|count| count.as_u64().unwrap()).sum()
}
