//! Every form in which a bank may say how long its token lives.

use std::time::Duration;

use http::StatusCode;
use tower_oauth::testing::{Bank, BankBuilder, ExpiresIn, Fault};

use crate::{
    stack::{BANKS, CLIENTS, Stack, every_stack_of, preset},
    support::logs::Logs,
};

const TWO_HOURS: Duration = Duration::from_secs(7200);

/// The time a test may take between a token's issue and a look at what is left of it.
const SLACK: Duration = Duration::from_secs(60);

#[track_caller]
fn assert_about(left: Option<Duration>, expected: Duration, case: &str) {
    let left = left.expect("a token");
    assert!(
        left <= expected && left > expected - SLACK,
        "{case}: {left:?}"
    );
}

#[tokio::test]
async fn every_form_of_expiry_says_the_same() {
    for style in [
        ExpiresIn::Seconds,
        ExpiresIn::Text,
        ExpiresIn::Timestamp,
        ExpiresIn::Epoch,
        ExpiresIn::EpochMillis,
        ExpiresIn::Raw("7199.5".into()),
        ExpiresIn::Raw("\" 7200 \"".into()),
    ] {
        let open = |bank: BankBuilder| bank.lifetime(TWO_HOURS).expires_in(style.clone());
        for stack in every_stack_of(&BANKS, open).await {
            let case = format!("{} with {style:?}", stack.case());
            assert_eq!(
                stack.get(&stack.bank.api_url()).await,
                StatusCode::OK,
                "{case}"
            );
            assert_about(stack.source.status().expires_in, TWO_HOURS, &case);
            stack.assert_fetches(1);
        }
    }
}

/// What a bank's document says of a token whose answer does not, or five minutes.
fn default_of(bank: &str) -> Duration {
    Duration::from_secs(match bank {
        "avista" => 3600,
        "conta-simples" => 1800,
        _ => 300,
    })
}

/// The provider's own default then counts, or five minutes where its document names none.
#[tokio::test]
async fn an_expiry_that_is_absent_has_a_default() {
    for style in [ExpiresIn::Absent, ExpiresIn::Raw("null".into())] {
        let open = |bank: BankBuilder| bank.expires_in(style.clone());
        for stack in every_stack_of(&BANKS, open).await {
            assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
            let left = stack.source.status().expires_in;
            assert_about(left, default_of(stack.bank.name()), &stack.case());
            stack.assert_fetches(1);
        }
    }
}

/// A lifetime beyond reason is cut to a day.
#[tokio::test]
async fn an_expiry_beyond_a_day_is_not_believed() {
    for json in ["315360000", "\"9999-12-30T00:00:00Z\"", "99999999999999"] {
        let open = |bank: BankBuilder| bank.expires_in(ExpiresIn::Raw(json.into()));
        for stack in every_stack_of(&BANKS, open).await {
            assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
            let left = stack.source.status().expires_in;
            let case = format!("{} with {json}", stack.case());
            assert_about(left, Duration::from_secs(24 * 3600), &case);
            stack.assert_fetches(1);
        }
    }
}

/// The token is used all the same, for as long as when nothing had been said, and the log says what to do.
#[tokio::test]
async fn an_expiry_that_cannot_be_read_has_a_default() {
    let (logs, _listening) = Logs::listen();
    for (json, shape, set) in [
        (r#""""#, "an empty text", "ignored"),
        (r#""c4n4ry""#, "a text of 6 characters", "response.expiry"),
        (
            r#""2018-07-23T11:29:32""#,
            "a text of 19 characters",
            "local_time",
        ),
        (
            r#""20380723112932""#,
            "a text of 14 characters",
            "local_time",
        ),
        ("3600000", "a number", "milliseconds"),
        ("1e30", "a number", "seconds"),
        ("1e400", "a number", "seconds"),
        ("true", "a bare word", "response.expiry"),
        ("[3600]", "a list", "response.expiry"),
    ] {
        let open = |bank: BankBuilder| bank.expires_in(ExpiresIn::Raw(json.into()));
        for stack in every_stack_of(&BANKS, open).await {
            let before = logs.with("cannot be read").len();
            assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
            let left = stack.source.status().expires_in;
            let case = format!("{} with {json}", stack.case());
            assert_about(left, default_of(stack.bank.name()), &case);
            stack.assert_fetches(1);

            let said = logs.with("cannot be read");
            assert_eq!(said.len(), before + 1, "{case}");
            let said = said.last().unwrap();
            assert!(
                said.contains("WARN") && said.contains("expires_in"),
                "{case}: {said}"
            );
            assert!(said.contains(shape) && said.contains(set), "{case}: {said}");
            assert!(!said.contains("c4n4ry"), "{case}: {said}");
        }
    }
}

#[tokio::test]
async fn white_space_around_a_token_is_said_once() {
    let (logs, _listening) = Logs::listen();
    for client in CLIENTS {
        let bank = Bank::avista().start().await.unwrap();
        let builder = preset(&bank).policy(|policy| {
            policy.back_off.min_fetch_interval = Duration::from_millis(1);
        });
        let stack = Stack::of(bank, client, builder);
        let spaced = Fault::access_token(r#""\tc4n4ry-1\r\n""#);
        stack.bank.token_fault_always(spaced);
        let before = logs.with("white space").len();
        for fetches in 1..=3 {
            let token = stack.source.token().await.unwrap();
            assert_eq!(token.expose_token(), "c4n4ry-1", "{}", stack.case());
            stack.assert_fetches(fetches);
            stack
                .clock
                .step_wall_forward(Duration::from_secs(48 * 3600));
        }
        let said = logs.with("white space").len() - before;
        assert_eq!(said, 1, "{}", stack.case());
    }
    assert_eq!(logs.with("c4n4ry"), Vec::<String>::new());
}

/// Between members that are no JSON, and behind a byte order mark.
#[tokio::test]
async fn a_good_answer_is_used_whatever_else_it_holds() {
    for (before, after) in [
        (&b"\xef\xbb\xbf{\"error\":\"\""[..], &b"}"[..]),
        (b"{\"error\":false", b"}\r\n"),
        (b"{\"mensagem\":\"v\xe1lida\"", b",\"escopo\":\"\\ud800\"}"),
        (b"{\"x\":\"\n\t\0\"", b",\"y\":1e400,\"z\":NaN}"),
    ] {
        for stack in every_stack_of(&BANKS, |bank| bank).await {
            let good = br#","access_token":"abc","expires_in":3600"#;
            let body = [before, good, after].concat();
            let answer = Fault::answer(StatusCode::OK, body.clone());
            stack.bank.token_faults([answer]);
            let case = format!("{}: {}", stack.case(), String::from_utf8_lossy(&body));
            let token = stack.source.token().await.expect(&case);
            assert_eq!(token.expose_token(), "abc", "{case}");
            let left = stack.source.status().expires_in;
            assert_about(left, Duration::from_secs(3600), &case);
            stack.assert_fetches(1);
        }
    }
}

/// No header is made of what the answer calls itself, nor must it call itself anything.
#[tokio::test]
async fn token_type_and_scope_do_not_matter() {
    for fault in [
        Fault::Member("token_type".into(), "\"access_token\"".into()),
        Fault::Member("token_type".into(), "7".into()),
        Fault::Without("token_type".into()),
        Fault::Without("scope".into()),
        Fault::Member("error".into(), "null".into()),
    ] {
        for stack in every_stack_of(&BANKS, |bank| bank).await {
            stack.bank.token_faults([fault.clone()]);
            let case = format!("{} with {fault:?}", stack.case());
            assert_eq!(
                stack.get(&stack.bank.api_url()).await,
                StatusCode::OK,
                "{case}"
            );
            stack.assert_fetches(1);
        }
    }
}
