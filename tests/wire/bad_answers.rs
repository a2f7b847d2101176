//! What a token endpoint may answer in place of a token: each gives a typed error that names what was wrong, and the
//! token at hand stays in use.

use std::{error::Error, iter::successors, time::Duration};

use http::StatusCode;
use tower_oauth::{
    FailureClass, OAuthError,
    testing::{Bank, BankBuilder, Fault},
};

use crate::{
    catalogue::{Bad, CANARY, TOKEN, every_bad_answer},
    stack::{BANKS, CLIENTS, Stack, UNTIL_STALE},
    support::logs::Logs,
};

/// Every bad answer by each client, each at the next of the four banks.
async fn at_some_bank() -> Vec<(Bad, Stack, String)> {
    let mut stacks = Vec::new();
    for client in CLIENTS {
        for (bad, bank) in every_bad_answer().into_iter().zip(BANKS.iter().cycle()) {
            let bank = bank().lifetime(Duration::from_secs(3600));
            let stack = Stack::open(bank, client).await;
            let case = format!("{}, {:?}", stack.case(), bad.fault);
            // What shows the length of a body shows enough.
            let case = case.chars().take(200).collect();
            stacks.push((bad, stack, case));
        }
    }
    stacks
}

/// Nothing that the client or the bank would not want in a log.
#[track_caller]
fn assert_says_nothing_secret(shown: &str, stack: &Stack, case: &str) {
    for secret in [CANARY, TOKEN, stack.bank.client_secret()] {
        assert!(!shown.contains(secret), "{case}: {shown}");
    }
}

/// An error's words, and those of all that caused it.
pub(crate) fn everything(error: &(dyn Error + 'static)) -> String {
    let chain = successors(Some(error), |&error| error.source());
    chain.map(|error| format!("{error} {error:?} ")).collect()
}

#[tokio::test]
async fn without_a_token_it_is_a_typed_error_that_names_what_was_wrong() {
    for (bad, stack, case) in at_some_bank().await {
        stack.bank.token_fault_always(bad.fault.clone());
        let error = stack.error().await;
        let shown = format!("{} {:?}", everything(&*error), stack.source.status());
        let error = OAuthError::find(&*error).unwrap();
        bad.assert_is(error, &case);
        assert!(error.to_string().contains(bad.says), "{case}: {error}");
        assert_says_nothing_secret(&shown, &stack, &case);
        assert_eq!(stack.counters().token_requests, bad.attempts(), "{case}");
        assert_eq!(stack.counters().api_requests, 0, "{case}");

        // The next request gets the same error, and the bank hears nothing of it.
        let again = stack.error().await;
        assert_eq!(again.to_string(), error.to_string(), "{case}");
        assert_eq!(stack.counters().token_requests, bad.attempts(), "{case}");
    }
}

#[tokio::test]
async fn with_a_token_no_request_fails_and_the_source_recovers() {
    for (bad, stack, case) in at_some_bank().await {
        let url = stack.bank.api_url();
        stack.source.ready().await.unwrap();
        stack.bank.token_fault_always(bad.fault.clone());
        stack.clock.step_wall_forward(UNTIL_STALE);
        assert_eq!(stack.get(&url).await, StatusCode::OK, "{case}");
        let failed = stack.wait_until(|status| status.error.is_some()).await;
        assert!(failed.error.unwrap().contains(bad.says), "{case}");
        assert_eq!(failed.generation, Some(1), "{case}");
        assert_eq!(stack.get(&url).await, StatusCode::OK, "{case}");
        assert_eq!(
            stack.counters().token_requests,
            1 + bad.attempts(),
            "{case}"
        );

        stack.bank.heal();
        stack.source.retry_now();
        assert_eq!(stack.get(&url).await, StatusCode::OK, "{case}");
        stack
            .wait_until(|status| status.generation == Some(2))
            .await;
        assert_eq!(stack.get(&url).await, StatusCode::OK, "{case}");
        assert_eq!(
            stack.counters().token_requests,
            2 + bad.attempts(),
            "{case}"
        );
        assert_eq!(stack.counters().api_ok, 4, "{case}");
    }
}

/// In seconds: what the bank asked for, or its document, and how much longer the wait may be.
#[tokio::test]
async fn a_429_is_heeded() {
    let bare = || Fault::status(StatusCode::TOO_MANY_REQUESTS);
    let asked = |wait: &str| Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, wait);
    type Open = fn() -> BankBuilder;
    for (open, fault, least, most) in [
        (Bank::bankly as Open, bare(), 300.0, 330.0),
        (Bank::bankly, asked("120"), 120.0, 132.0),
        (Bank::bankly, asked("soon"), 300.0, 330.0),
        (Bank::avista, asked("120"), 120.0, 132.0),
        (Bank::avista, asked("120.4"), 121.0, 133.1),
        (Bank::avista, asked("+120 "), 120.0, 132.0),
        (Bank::avista, asked("86400"), 300.0, 330.0),
        (Bank::avista, bare(), 45.0, 75.0),
        (Bank::conta_simples, bare(), 45.0, 75.0),
        (Bank::anbima, asked("-5"), 45.0, 75.0),
    ] {
        for client in CLIENTS {
            let stack = Stack::open(open(), client).await;
            let case = format!("{}, {fault:?}", stack.case());
            stack.bank.token_fault_always(fault.clone());
            let before = stack.clock.wall();
            let error = stack.error().await;
            let after = stack.clock.wall();
            let retry_at = OAuthError::find(&*error).unwrap().retry_at().unwrap();
            let least = before + Duration::from_secs_f64(least);
            let most = after + Duration::from_secs_f64(most);
            assert!((least..=most).contains(&retry_at), "{case}: {error}");
            assert_eq!(stack.counters().token_requests, 1, "{case}");
        }
    }
}

/// It names the credentials whatever else the answer holds: a denial does not pass by waiting.
#[tokio::test]
async fn a_denial_in_another_encoding_is_a_denial() {
    let body = b"{\"error\":\"invalid_client\",\"error_description\":\"Credencial inv\xe1lida\"}";
    for client in CLIENTS {
        let stack = Stack::open(Bank::avista(), client).await;
        let denial = Fault::answer(StatusCode::UNAUTHORIZED, &body[..]);
        stack.bank.token_fault_always(denial);
        let error = stack.source.ready().await.unwrap_err();
        assert_eq!(error.class(), Some(FailureClass::Permanent));
        let error = error.fetch_error().unwrap();
        assert_eq!(error.code(), Some("invalid_client"));
        assert_eq!(error.description(), Some("Credencial inv\u{fffd}lida"));
    }
}

#[tokio::test]
async fn a_wait_that_cannot_be_read_is_said_to_be_none() {
    let (logs, _listening) = Logs::listen();
    for client in CLIENTS {
        let stack = Stack::open(Bank::avista(), client).await;
        let asked = Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, CANARY);
        stack.bank.token_fault_always(asked);
        stack.error().await;
    }
    let said = logs.with("`Retry-After` is neither");
    assert_eq!(said.len(), CLIENTS.len(), "{said:#?}");
    assert!(said.iter().all(|it| it.contains("length=6")), "{said:#?}");
    assert!(said.iter().all(|it| !it.contains(CANARY)), "{said:#?}");
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for_within_the_fetch() {
    for client in CLIENTS {
        for status in [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ] {
            let stack = Stack::open(Bank::bankly(), client).await;
            stack.bank.token_faults([Fault::retry_after(status, "0")]);
            assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
            assert_eq!(stack.counters().token_requests, 2, "{}", stack.case());
            assert_eq!(
                stack.source.status().counters.fetches,
                1,
                "{}",
                stack.case()
            );
        }
    }
}

#[tokio::test]
async fn a_temporary_failure_is_tried_again_within_the_fetch() {
    for client in CLIENTS {
        for fault in [
            Fault::Reset,
            Fault::CutOff,
            Fault::Truncated,
            Fault::status(StatusCode::OK),
            Fault::status(StatusCode::INTERNAL_SERVER_ERROR),
            Fault::status(StatusCode::BAD_GATEWAY),
        ] {
            let stack = Stack::open(Bank::conta_simples(), client).await;
            stack.bank.token_faults([fault.clone(), fault]);
            assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
            assert_eq!(stack.counters().token_requests, 3, "{}", stack.case());
        }
    }
}

/// An API that fails is no matter of the token's.
#[tokio::test]
async fn what_the_api_does_wrong_costs_no_fetch() {
    for client in CLIENTS {
        let stack = Stack::open(Bank::avista(), client).await;
        let url = stack.bank.api_url();
        for status in [400, 404, 429, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            stack.bank.api_faults([Fault::status(status)]);
            assert_eq!(stack.get(&url).await, status, "{}", stack.case());
        }
        for fault in [Fault::Reset, Fault::CutOff] {
            stack.bank.api_faults([fault]);
            let error = stack.error().await;
            assert!(
                OAuthError::find(&*error).is_none(),
                "{}: {error}",
                stack.case()
            );
        }
        assert_eq!(stack.get(&url).await, StatusCode::OK);
        stack.assert_fetches(1);
    }
}
