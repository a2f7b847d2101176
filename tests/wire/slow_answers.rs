//! Token endpoints that take their time. The clock is paused once the bank has the request, and then jumps: what is
//! bounded ends, without anyone waiting for it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use tokio::{
    task::JoinHandle,
    time::{pause, resume},
};
use tower_oauth::{BoxError, FailureClass, OAuthError, testing::Fault};

use crate::stack::{BANKS, CLIENTS, Stack, UNTIL_STALE, preset};

/// One byte a second, which for a token of more than a kilobyte is as good as never.
fn endless() -> [Fault; 2] {
    [Fault::Hang, Fault::Drip(Duration::from_secs(1))]
}

/// Each at the next of the four banks, by each client, with one attempt to a fetch.
async fn stacks() -> Vec<(Fault, Stack)> {
    let mut stacks = Vec::new();
    let banks = BANKS.iter().cycle();
    let cases = CLIENTS
        .into_iter()
        .flat_map(|it| endless().map(|fault| (it, fault)));
    for ((client, fault), open) in cases.zip(banks) {
        let bank = open()
            .lifetime(Duration::from_secs(3600))
            .start()
            .await
            .unwrap();
        let builder = preset(&bank).policy(|policy| policy.retry.attempts = 1);
        stacks.push((fault, Stack::of(bank, client, builder)));
    }
    stacks
}

/// A request that is under way.
fn call(stack: &Stack) -> JoinHandle<Result<Response<Bytes>, BoxError>> {
    tokio::spawn(stack.call(Method::GET, &stack.bank.api_url(), ""))
}

#[tokio::test]
async fn an_attempt_is_bounded_with_its_body() {
    for (fault, stack) in stacks().await {
        let case = format!("{}, {fault:?}", stack.case());
        stack.bank.token_fault_always(fault);
        let call = call(&stack);
        stack.bank.wait_for(|seen| seen.token_requests == 1).await;
        pause();
        let before = stack.clock.wall();
        let error = call.await.unwrap().unwrap_err();
        let took = stack.clock.wall().duration_since(before).unwrap();
        resume();
        assert!(took <= Duration::from_secs(9), "{case}: {took:?}");
        let error = OAuthError::find(&*error).unwrap();
        assert!(error.is_timeout(), "{case}: {error}");
        assert_eq!(error.class(), Some(FailureClass::Transient), "{case}");
        let place = stack.bank.api_origin().replace("http://", "");
        let says =
            format!("the token endpoint did not answer within timeouts.attempt, 8s ({place})");
        assert!(error.to_string().contains(&says), "{case}: {error}");
        assert_eq!(stack.counters().token_requests, 1, "{case}");

        stack.bank.heal();
        stack.source.retry_now();
        assert_eq!(
            stack.get(&stack.bank.api_url()).await,
            StatusCode::OK,
            "{case}"
        );
        assert_eq!(stack.counters().token_requests, 2, "{case}");
    }
}

#[tokio::test]
async fn requests_are_served_while_a_refresh_hangs_and_after_it_failed() {
    for (fault, stack) in stacks().await {
        let case = format!("{}, {fault:?}", stack.case());
        let url = stack.bank.api_url();
        stack.source.ready().await.unwrap();
        stack.bank.token_fault_always(fault);
        stack.clock.step_wall_forward(UNTIL_STALE);
        assert_eq!(stack.get(&url).await, StatusCode::OK, "{case}");
        stack.bank.wait_for(|seen| seen.token_requests == 2).await;
        stack.all_get(10, &url, StatusCode::OK).await;
        assert!(stack.source.status().fetching, "{case}");
        pause();
        stack.wait_until(|status| status.error.is_some()).await;
        resume();
        stack.all_get(10, &url, StatusCode::OK).await;
        assert_eq!(stack.counters().token_requests, 2, "{case}");
    }
}

/// The client gives up; the token endpoint does not know that, and the fetch brings a token to the next client.
#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_fetch_under_way() {
    for (open, client) in BANKS.into_iter().zip(CLIENTS.into_iter().cycle()) {
        let bank = open().start().await.unwrap();
        let builder = preset(&bank);
        let stack = Stack::of(bank, client, builder);
        stack
            .bank
            .token_faults([Fault::Delay(Duration::from_millis(50))]);
        let caller = call(&stack);
        stack.bank.wait_for(|seen| seen.token_requests == 1).await;
        caller.abort();
        stack
            .all_get(10, &stack.bank.api_url(), StatusCode::OK)
            .await;
        stack.assert_fetches(1);
    }
}
