//! What is printed: a table for each scene, and what to do next.

use std::{process::ExitCode, time::Duration};

use futures_util::future::try_join_all;
use tower_oauth::BoxError;

use crate::setup::{self, Setup};

/// What a scene found at one bank.
pub(crate) struct Finding {
    pub(crate) bank: &'static str,
    pub(crate) requests: usize,
    pub(crate) token_requests: u64,
    pub(crate) slowest: Duration,
    pub(crate) passed: bool,
    pub(crate) what: String,
}

/// Counts the checks while it prints them.
pub(crate) struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    pub(crate) fn start() -> Self {
        println!(
            "Four test banks on loopback. Two HTTP clients, hyper and reqwest, call each of them through one token source."
        );
        Self {
            passed: 0,
            failed: 0,
        }
    }

    /// Runs a scene at every bank at the same time.
    pub(crate) async fn scene(
        &mut self,
        title: &str,
        explanation: &str,
        run: impl AsyncFn(Setup) -> Result<Finding, BoxError>,
    ) -> Result<(), BoxError> {
        println!("\n{title}\n{explanation}\n");
        let setups = setup::all_banks().await?;
        let findings = try_join_all(setups.into_iter().map(|setup| run(setup))).await?;
        println!(
            "   {:<14} {:>8} {:>15} {:>9}   check",
            "bank", "requests", "token requests", "slowest"
        );
        for finding in findings {
            self.check(&finding);
        }
        Ok(())
    }

    fn check(&mut self, finding: &Finding) {
        let result = if finding.passed {
            self.passed += 1;
            "ok"
        } else {
            self.failed += 1;
            "FAILED"
        };
        println!(
            "   {:<14} {:>8} {:>15} {:>6} ms   {result}: {}",
            finding.bank,
            finding.requests,
            finding.token_requests,
            finding.slowest.as_millis(),
            finding.what,
        );
    }

    pub(crate) fn finish(&self) -> ExitCode {
        let checks = self.passed + self.failed;
        if self.failed > 0 {
            println!("\n{} of {checks} checks FAILED.", self.failed);
            return ExitCode::FAILURE;
        }
        println!("\nAll {checks} checks passed.\n\nWhat to do next:");
        println!("   call your own bank   cargo run --example call -- --help");
        println!("   add a bank           docs/add_a_bank.md");
        println!("   test your service    docs/test_your_service.md");
        ExitCode::SUCCESS
    }
}
