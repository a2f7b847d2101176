//! Every form in which a bank may say how long its token lives.

use std::time::Duration;

use http::StatusCode;
use tower_oauth::testing::{BankBuilder, ExpiresIn, Fault};

use crate::stack::{BANKS, every_stack_of};

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

/// The provider's own default then counts, or five minutes where its document names none.
#[tokio::test]
async fn an_expiry_that_is_absent_has_a_default() {
    for style in [ExpiresIn::Absent, ExpiresIn::Raw("null".into())] {
        let open = |bank: BankBuilder| bank.expires_in(style.clone());
        for stack in every_stack_of(&BANKS, open).await {
            let documented = match stack.bank.name() {
                "avista" => 3600,
                "conta-simples" => 1800,
                _ => 300,
            };
            assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
            let left = stack.source.status().expires_in;
            assert_about(left, Duration::from_secs(documented), &stack.case());
            stack.assert_fetches(1);
        }
    }
}

/// A lifetime beyond reason is cut to a day.
#[tokio::test]
async fn an_expiry_beyond_a_day_is_not_believed() {
    for json in ["999999999", "\"9999-12-30T00:00:00Z\"", "99999999999999"] {
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
