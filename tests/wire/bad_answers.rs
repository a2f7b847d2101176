//! What a token endpoint may answer in place of a token: each gives a typed error that names what was wrong, and the
//! token at hand stays in use.

use std::time::Duration;

use http::StatusCode;
use tower_oauth::{
    FailureClass::{self, Permanent, Transient, Unclear},
    OAuthError,
    testing::{Bank, BankBuilder, Fault},
};

use crate::stack::{BANKS, CLIENTS, Stack, UNTIL_STALE};

/// In every body here, and in nothing that may be shown.
const CANARY: &str = "c4n4ry";

/// How every token of the banks begins.
const TOKEN: &str = "eyJhbGci";

/// An answer, and what is to be made of it.
struct Bad {
    fault: Fault,
    kind: &'static str,
    class: FailureClass,
    status: Option<u16>,
    code: Option<&'static str>,
    says: &'static str,
}

impl Bad {
    /// An answer that claims success and holds no usable token.
    fn malformed(fault: Fault, says: &'static str) -> Self {
        Self {
            fault,
            kind: "malformed",
            class: Unclear,
            status: Some(200),
            code: None,
            says,
        }
    }

    fn denied(status: u16, code: Option<&'static str>, class: FailureClass) -> Self {
        let json = code
            .map(|code| format!(r#"{{"error":"{code}","error_description":"{CANARY} {TOKEN}"}}"#));
        let page = || format!("<html>{CANARY}</html>");
        let answer = StatusCode::from_u16(status).unwrap();
        Self {
            fault: Fault::answer(answer, json.unwrap_or_else(page)),
            kind: "denied",
            class,
            status: Some(status),
            code,
            says: "the token endpoint answered with an error",
        }
    }

    fn broken_off(fault: Fault, status: Option<u16>) -> Self {
        Self {
            fault,
            kind: "transport",
            class: Transient,
            status,
            code: None,
            says: "the token endpoint could not be reached, or the connection broke",
        }
    }

    /// Only what may pass is tried again at once, and a 429 that names no wait is not.
    fn attempts(&self) -> u64 {
        match self.class {
            Transient if self.status != Some(429) => 3,
            _ => 1,
        }
    }

    #[track_caller]
    fn assert_is(&self, error: &OAuthError, case: &str) {
        let fetch = error.fetch_error().unwrap();
        assert_eq!(error.kind(), self.kind, "{case}");
        assert_eq!(error.class(), Some(self.class), "{case}");
        assert_eq!(fetch.code(), self.code, "{case}");
        let status = fetch.status().map(|status| match status.as_u16() {
            201 => 200, // ANBIMA's word for success
            status => status,
        });
        assert_eq!(status, self.status, "{case}");
        assert!(error.retry_at().is_some(), "{case}");
    }
}

fn denials() -> Vec<Bad> {
    vec![
        Bad::denied(200, Some("invalid_client"), Permanent),
        Bad::denied(200, Some("try_later"), Unclear),
        Bad::denied(400, Some("invalid_client"), Permanent),
        Bad::denied(401, Some("invalid_client"), Permanent),
        Bad::denied(400, Some("invalid_scope"), Permanent),
        Bad::denied(400, None, Unclear),
        Bad::denied(401, None, Unclear),
        Bad::denied(403, None, Unclear),
        Bad::denied(429, None, Transient),
        Bad::denied(500, None, Transient),
        Bad::denied(503, Some("temporarily_unavailable"), Transient),
        Bad {
            fault: Fault::error_in_good_answer("invalid_client"),
            ..Bad::denied(200, Some("invalid_client"), Permanent)
        },
    ]
}

fn broken_connections() -> Vec<Bad> {
    vec![
        Bad::broken_off(Fault::Reset, None),
        Bad::broken_off(Fault::CutOff, Some(200)),
    ]
}

fn bodies_that_are_no_token() -> Vec<Bad> {
    let ok = |body: String| Fault::answer(StatusCode::OK, body);
    vec![
        Bad::malformed(
            Fault::html(),
            "the answer is HTML or XML; check the token URL",
        ),
        Bad::malformed(Fault::status(StatusCode::OK), "the answer is empty"),
        Bad::malformed(Fault::Truncated, "the answer breaks off"),
        Bad::malformed(Fault::oversized(), "the answer is longer than 64 KiB"),
        Bad::malformed(ok(format!("token={CANARY}")), "the answer is not JSON"),
        Bad::malformed(
            ok(format!("[\"{CANARY}\"]")),
            "the answer is JSON, but no object",
        ),
        Bad::malformed(ok("{}".into()), "the answer's `access_token` is missing"),
    ]
}

fn odd_tokens() -> Vec<Bad> {
    let odd = |json, says| Bad::malformed(Fault::access_token(json), says);
    vec![
        odd("\"\"", "the answer's `access_token` is empty"),
        odd("null", "the answer's `access_token` is not a string"),
        odd("42", "the answer's `access_token` is not a string"),
        odd(
            "[\"c4n4ry\"]",
            "the answer's `access_token` is not a string",
        ),
        odd(
            "\"c4n4ry\\r\\nx: y\"",
            "the answer's `access_token` holds bytes that no header may hold",
        ),
        odd(
            "\"c4n4ry\\u00fc\"",
            "the answer's `access_token` holds bytes that no header may hold",
        ),
        odd(
            "\"c4n4ry\\u0000\"",
            "the answer's `access_token` holds bytes that no header may hold",
        ),
    ]
}

fn odd_expiries() -> Vec<Bad> {
    let odd = |json, says| Bad::malformed(Fault::expires_in(json), says);
    vec![
        odd("0", "the answer's `expires_in` is not above zero"),
        odd("-3600", "the answer's `expires_in` is not above zero"),
        odd("\"-1\"", "the answer's `expires_in` is not above zero"),
        odd("1600000000", "the answer's `expires_in` has already passed"),
        odd(
            "\"2020-01-01T00:00:00.000Z\"",
            "the answer's `expires_in` has already passed",
        ),
        odd(
            "\"c4n4ry\"",
            "the answer's `expires_in` is no known form of expiry",
        ),
        odd(
            "true",
            "the answer's `expires_in` is no known form of expiry",
        ),
        odd(
            "[3600]",
            "the answer's `expires_in` is no known form of expiry",
        ),
        odd("1e300", "the answer's `expires_in` is out of range"),
        odd("1e400", "the answer is not JSON"),
    ]
}

fn every_bad_answer() -> Vec<Bad> {
    [
        denials(),
        broken_connections(),
        bodies_that_are_no_token(),
        odd_tokens(),
        odd_expiries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

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

#[tokio::test]
async fn without_a_token_it_is_a_typed_error_that_names_what_was_wrong() {
    for (bad, stack, case) in at_some_bank().await {
        stack.bank.token_fault_always(bad.fault.clone());
        let error = stack.error().await;
        let shown = format!("{error} {error:?} {:?}", stack.source.status());
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
async fn with_a_token_nobody_notices_and_it_mends_itself() {
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

#[tokio::test]
async fn a_short_retry_after_is_waited_for_within_the_flight() {
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
                stack.source.status().counters.flights,
                1,
                "{}",
                stack.case()
            );
        }
    }
}

#[tokio::test]
async fn trouble_that_passes_is_tried_again_within_the_flight() {
    for client in CLIENTS {
        for fault in [
            Fault::Reset,
            Fault::CutOff,
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
