//! What `--verbose` shows, and what `banks` says at the other end.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use http::StatusCode;
use serde_json::json;
use tokio::task::spawn_blocking;
use tower_oauth::testing::{Bank, Fault};

use super::{
    banks::BANKS,
    tool::{CLIENTS, Call},
};

#[tokio::test]
async fn the_exchange_is_shown_without_secret_and_token() {
    let secrets = [
        "> authorization: Basic [elided]",
        ">   clientSecret: text [elided]",
        "> authorization: Basic [elided]",
        ">   client_secret: text [elided]",
    ];
    for (open, secret) in BANKS.into_iter().zip(secrets) {
        for (client, flag) in CLIENTS.into_iter().zip(["--verbose", "-v"]) {
            let bank = open().start().await.unwrap();
            let call = Call::of(&bank).flag(flag).arg("--client", client);
            let outcome = call.run().await;
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
            assert_eq!(outcome.report()["status"], json!({ "200": 1 }));
            for line in [
                &*format!("> POST {}", bank.token_url()),
                secret,
                "<   access_token: text [elided], 1200 characters",
                "<   expires_in: number ",
            ] {
                assert!(outcome.stderr.contains(line), "{line}: {}", outcome.stderr);
            }
            // How every token of the banks begins.
            assert!(!outcome.stderr.contains("eyJ"), "{}", outcome.stderr);
        }
    }
}

#[tokio::test]
async fn every_attempt_is_shown_and_why_it_had_no_answer() {
    let bank = Bank::avista().start().await.unwrap();
    let busy = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    bank.token_faults([busy, Fault::Reset]);
    let outcome = Call::of(&bank).flag("-v").run().await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let attempts = outcome.stderr.matches("\n> POST ").count();
    assert_eq!(attempts, 3, "{}", outcome.stderr);
    for line in [
        "* attempt 3",
        "< HTTP 503 Service Unavailable\n",
        "* no answer: ",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {}", outcome.stderr);
    }
}

#[tokio::test]
async fn without_it_nothing_of_the_exchange_is_shown() {
    let bank = Bank::avista().start().await.unwrap();
    let outcome = Call::of(&bank).run().await;
    assert!(!outcome.stderr.contains("> POST"), "{}", outcome.stderr);
}

/// It ends with the test.
struct OnDrop(Child);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn banks() -> OnDrop {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let mut command = Command::new(profile.join("examples").join("banks"));
    command.args(["--port", "0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    OnDrop(command.spawn().expect("cargo build --example banks"))
}

/// What a call line of `banks` says after an option.
fn option<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!("{name} ")).unwrap();
    rest.split_whitespace().next().unwrap()
}

#[tokio::test]
async fn banks_says_why_it_rejected() {
    let mut banks = banks();
    let stdout = BufReader::new(banks.0.stdout.take().unwrap());
    let stderr = BufReader::new(banks.0.stderr.take().unwrap());
    let lines = spawn_blocking(move || {
        let lines = stdout.lines().map(Result::unwrap);
        lines
            .take_while(|line| !line.starts_with("Open"))
            .collect::<Vec<_>>()
    });
    let lines = lines.await.unwrap();
    let line = lines.iter().find(|line| line.contains("bankly")).unwrap();
    let at = |url: String| {
        Call::bare(&["--provider", "bankly", "--scope", "boleto.read"])
            .arg("--client-id", option(line, "--client-id"))
            .arg("--token-url", option(line, "--token-url"))
            .arg("--origin", option(line, "--origin"))
            .secret("bankly-client-secret")
            .url(url)
    };
    let path = |path: &str| format!("{}{path}", option(line, "--origin"));
    let mut said = stderr.lines().map(Result::unwrap);
    for (call, why) in [
        (
            at(path("/accounts")).secret("canary"),
            "bankly: POST /connect/token: HTTP 401: the credentials are not the client's: see the field client_secret",
        ),
        (
            at(path("/cards")),
            "bankly: GET /cards: HTTP 403: the token lacks the scope that the route needs",
        ),
        (
            at(path("/nowhere")),
            "bankly: GET /nowhere: HTTP 404: the bank has no such path",
        ),
    ] {
        assert_eq!(call.run().await.code, 1);
        let (line, rest) = spawn_blocking(move || (said.next(), said)).await.unwrap();
        assert_eq!(line.unwrap(), why);
        said = rest;
    }
}
