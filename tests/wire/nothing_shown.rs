//! No output shows a secret, a token or an answer: not `tracing` or `log` at every level, with the HTTP clients' own
//! events, and no error, status or `Debug`.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Method, StatusCode};
use tower_oauth::{
    OAuthError,
    testing::{BankBuilder, Fault},
};

use crate::{
    bad_answers::everything,
    catalogue::{CANARY, TOKEN, every_bad_answer},
    stack::{BANKS, CLIENTS, Stack, UNTIL_STALE, every_stack_of},
    support::logs::Logs,
};

const ID: &str = "the-id";
const SECRET: &str = "c4n4ry-secret";

fn with_canary(bank: BankBuilder) -> BankBuilder {
    bank.credentials(ID, SECRET)
}

/// The texts that must appear nowhere.
fn canaries() -> [String; 3] {
    let basic = BASE64_STANDARD.encode(format!("{ID}:{SECRET}"));
    [CANARY.into(), TOKEN.into(), basic]
}

/// Logs everything that the stack can print.
fn log_all(logs: &Logs, stack: &Stack) {
    let status = stack.source.status();
    let json = serde_json::to_string(&status).unwrap();
    logs.record(
        &format!("{status:?} {json} {:?} {:?}", stack.source, stack.api),
        |_| {},
    );
}

#[track_caller]
fn assert_nothing_shown(logs: &Logs) {
    for canary in canaries() {
        assert_eq!(logs.with(&canary), Vec::<String>::new());
    }
}

/// A token, a rejected one, a refreshed one, an expired one.
async fn a_day_at(stack: &Stack, logs: &Logs) {
    let url = stack.bank.api_url();
    for event in 0..4 {
        match event {
            0 => {}
            1 => stack.bank.revoke_all(),
            2 => stack.bank.expire_all(),
            _ => stack.clock.step_wall_forward(UNTIL_STALE),
        }
        let answer = stack.call(Method::GET, &url, "").await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", stack.case());
        logs.record(&format!("{answer:?}"), |_| {});
        log_all(logs, stack);
    }
    stack
        .wait_until(|status| status.generation == Some(4))
        .await;
}

#[tokio::test]
async fn a_day_without_failures_shows_nothing() {
    let (logs, _listening) = Logs::listen();
    for stack in every_stack_of(&BANKS, with_canary).await {
        a_day_at(&stack, &logs).await;
    }
    assert_nothing_shown(&logs);
    // Everyone has been listened to.
    for talker in ["token fetched", "client/legacy/pool.rs", "reqwest::connect"] {
        assert!(
            !logs.with(talker).is_empty(),
            "{talker}: {:#?}",
            logs.lines()
        );
    }
}

#[tokio::test]
async fn no_bad_answer_is_shown() {
    let (logs, _listening) = Logs::listen();
    for client in CLIENTS {
        for (bad, bank) in every_bad_answer().into_iter().zip(BANKS.iter().cycle()) {
            let stack = Stack::open(with_canary(bank()), client).await;
            stack.bank.token_fault_always(bad.fault);
            logs.record(&everything(&*stack.error().await), |_| {});
            log_all(&logs, &stack);
        }
    }
    assert_nothing_shown(&logs);
}

/// A bank that repeats what it was sent, in every place where an answer has room for it.
#[tokio::test]
async fn an_echoed_secret_is_not_shown() {
    let (logs, _listening) = Logs::listen();
    let [.., basic] = canaries();
    for stack in every_stack_of(&BANKS, with_canary).await {
        let sent = match stack.bank.name() {
            "anbima" | "conta-simples" => &basic,
            _ => SECRET,
        };
        let body = format!(r#"{{"error":"{sent}","error_description":"no {sent}"}}"#);
        let echo = Fault::answer(StatusCode::BAD_REQUEST, body);
        stack.bank.token_fault_always(echo);
        let error = stack.error().await;
        let error = OAuthError::find(&*error).unwrap().fetch_error().unwrap();
        assert_eq!(error.code(), Some("[elided]"), "{}", stack.case());
        assert_eq!(error.description(), Some("no [elided]"), "{}", stack.case());
        log_all(&logs, &stack);
    }
    assert_nothing_shown(&logs);
}
