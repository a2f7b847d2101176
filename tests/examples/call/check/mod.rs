//! `--check`: each step's verdict and remedy, where the way ends, and the exit status.

mod api;
mod fine;
mod network;
mod secrets;
mod tls;
mod token;

use serde_json::Value;

use super::tool::{Call, Outcome};

const NETWORK: [&str; 5] = ["name", "tcp", "tls", "client_certificate", "clock"];
const TOKEN: [&str; 3] = ["token_request", "life", "scopes"];

/// A report, whose form was checked.
struct Checked {
    outcome: Outcome,
    report: Value,
}

/// Runs the check with `--json`.
async fn check(call: Call) -> Checked {
    let outcome = call.flag("--check").flag("--json").run().await;
    let report: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", outcome.stdout, outcome.stderr));
    let checked = Checked { outcome, report };
    checked.assert_form();
    checked
}

impl Checked {
    fn steps(&self) -> &[Value] {
        self.report["steps"].as_array().unwrap()
    }

    fn step(&self, target: &str, name: &str) -> &Value {
        let is_it = |it: &&Value| it["step"] == name && it["target"] == target;
        self.steps().iter().find(is_it).unwrap()
    }

    fn verdict(&self, target: &str, name: &str) -> &str {
        self.step(target, name)["verdict"].as_str().unwrap()
    }

    /// The steps of the token endpoint, then those of the API; each with all of its members, the first failed one named
    /// above, and after one that failed no other of the same target.
    fn assert_form(&self) {
        let mut names = vec![("", "settings")];
        names.extend(
            NETWORK
                .iter()
                .chain(&TOKEN)
                .map(|it| ("token_endpoint", *it)),
        );
        let is_of_api = |it: &Value| it["target"] == "api";
        if self.steps().iter().any(is_of_api) {
            names.extend(NETWORK.iter().chain(&["call"]).map(|it| ("api", *it)));
        }
        let found = self.steps().iter().map(|it| {
            let target = it["target"].as_str().unwrap_or_default();
            (target, it["step"].as_str().unwrap())
        });
        assert_eq!(found.collect::<Vec<_>>(), names);
        for step in self.steps() {
            let verdict = step["verdict"].as_str().unwrap();
            let needs_remedy = ["warning", "failed"].contains(&verdict);
            assert_eq!(step["remedy"].is_string(), needs_remedy, "{step}");
            assert!(
                ["ok", "skipped"].contains(&verdict) || needs_remedy,
                "{step}"
            );
            assert!(!step["detail"].as_str().unwrap().is_empty(), "{step}");
            assert!(
                step["took_ms"].is_number() && step["facts"].is_object(),
                "{step}"
            );
            assert_eq!(step.as_object().unwrap().len(), 7, "{step}");
        }
        self.assert_summary();
    }

    fn assert_summary(&self) {
        let failed = self.steps().iter().find(|it| it["verdict"] == "failed");
        match failed {
            Some(step) => {
                assert_eq!(self.report["failed"]["step"], step["step"]);
                assert_eq!(self.report["failed"]["target"], step["target"]);
                assert_eq!(self.report["verdict"], "failed");
                let is_usage = step["step"] == "settings";
                assert_eq!(self.outcome.code, if is_usage { 2 } else { 1 });
            }
            None => {
                assert!(self.report["failed"].is_null());
                assert_eq!(self.outcome.code, 0, "{}", self.outcome.stdout);
            }
        }
    }

    /// Nothing failed, and these are the warnings.
    #[track_caller]
    fn assert_warnings(&self, expected: &[(&str, &str)]) {
        let warnings = self.steps().iter().filter(|it| it["verdict"] == "warning");
        let warnings = warnings.map(|it| {
            let target = it["target"].as_str().unwrap();
            (target, it["step"].as_str().unwrap())
        });
        let warnings: Vec<_> = warnings.collect();
        assert_eq!(warnings, expected, "{}", self.report);
        assert_eq!(self.outcome.code, 0, "{}", self.report);
    }

    /// This step failed first, and says this of it.
    #[track_caller]
    fn assert_ends_at(&self, target: &str, name: &str, detail: &str, remedy: &str) {
        assert_eq!(self.report["failed"]["step"], name, "{}", self.report);
        assert_eq!(self.report["failed"]["target"], target, "{}", self.report);
        self.assert_says(target, name, detail, remedy);
        let call = self.steps().last().unwrap();
        let is_call = call["step"] == "call" && name != "call";
        assert!(!is_call || call["verdict"] == "skipped", "{call}");
    }

    #[track_caller]
    fn assert_says(&self, target: &str, name: &str, detail: &str, remedy: &str) {
        let step = self.step(target, name);
        let said = step["detail"].as_str().unwrap();
        assert!(said.contains(detail), "{detail}: {step}");
        let said = step["remedy"].as_str().unwrap_or_default();
        assert!(said.contains(remedy), "{remedy}: {step}");
    }
}
