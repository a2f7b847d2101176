//! What an operator reads: the bank, the step and the place, the cause, what to check, and when it is asked again. One
//! line, by whichever way it is printed, and each thing once.

use std::io;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector, connect::dns::Name},
    rt::TokioExecutor,
};
use tokio::net::TcpSocket;
use tower::service_fn;
use tower_oauth::{
    FailureClass::{self, Permanent, Transient, Unclear},
    OAuthError,
    testing::{Bank, Fault},
};

use crate::{
    bad_answers::everything,
    stack::{CLIENTS, Stack, preset},
};

struct Logs {
    fault: Fault,
    class: FailureClass,
    suggested: u16,
    /// Between the bank's name and the time of the next attempt; `{place}` is the token endpoint's host and port.
    says: &'static str,
}

fn every_answer() -> Vec<Logs> {
    let logs = |fault, class, suggested, says| Logs {
        fault,
        class,
        suggested,
        says,
    };
    let status = |status| Fault::status(StatusCode::from_u16(status).unwrap());
    let error = |status, code| Fault::oauth_error(StatusCode::from_u16(status).unwrap(), code);
    let expired = r#"{"error":"invalid_client","error_description":"client secret is expired"}"#;
    vec![
        logs(
            error(401, "invalid_client"),
            Permanent,
            500,
            "token request denied: invalid_client (HTTP 401). Check client id, secret and environment.",
        ),
        logs(
            Fault::answer(StatusCode::UNAUTHORIZED, expired),
            Permanent,
            500,
            "token request denied: invalid_client (HTTP 401): \"client secret is expired\". \
             Check client id, secret and environment.",
        ),
        logs(
            error(400, "invalid_scope"),
            Permanent,
            500,
            "token request denied: invalid_scope (HTTP 400). Check the scopes, and that the client may have them.",
        ),
        logs(
            error(400, "unsupported_grant_type"),
            Permanent,
            500,
            "token request denied: unsupported_grant_type (HTTP 400). Check `grant`.",
        ),
        logs(
            error(400, "ERR-4711"),
            Unclear,
            503,
            "token request denied: ERR-4711 (HTTP 400). \
             See what the server's documentation says about this code, and say in `failures` whether it passes.",
        ),
        logs(
            status(400),
            Unclear,
            503,
            "token request denied (HTTP 400). Check `credentials` (the place, and for Basic `basic_encoded` or \
             `basic_raw`), `body`, `grant` and `token_params`.",
        ),
        logs(
            status(404),
            Permanent,
            500,
            "token request denied: there is no token endpoint at this path of {place} (HTTP 404). Check the token URL.",
        ),
        logs(
            status(405),
            Permanent,
            500,
            "token request denied: there is no token endpoint at this path of {place} (HTTP 405). Check the token URL.",
        ),
        logs(
            Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "60"),
            Transient,
            503,
            "token request denied: too many requests (HTTP 429). \
             If it stays, look for other processes that use the same client id.",
        ),
        logs(
            status(503),
            Transient,
            503,
            "the token endpoint is out of order (HTTP 503). There is nothing to fix on this side. Tried 3 times.",
        ),
        logs(
            error(400, "temporarily_unavailable"),
            Transient,
            503,
            "the token endpoint is out of order: temporarily_unavailable (HTTP 400). \
             There is nothing to fix on this side. Tried 3 times.",
        ),
    ]
}

#[track_caller]
fn assert_reads(error: &OAuthError, says: &str, case: &str) {
    let (shown, debug) = (error.to_string(), format!("{error:?}"));
    assert_eq!(shown, debug, "{case}");
    assert!(!shown.contains('\n'), "{case}: {shown}");
    let expected = format!("{}: {says} Next attempt at ", error.source_name());
    assert!(shown.starts_with(&expected), "{case}: {shown}\n{expected}");
    assert!(shown.ends_with(" s)."), "{case}: {shown}");
}

#[tokio::test]
async fn every_answer_says_who_where_why_what_to_do_and_when() {
    for client in CLIENTS {
        for logs in every_answer() {
            let stack = Stack::open(Bank::avista(), client).await;
            let place = stack.bank.api_origin().replace("http://", "");
            let says = logs.says.replace("{place}", &place);
            stack.bank.token_fault_always(logs.fault);
            let error = stack.error().await;
            let error = OAuthError::find(&*error).unwrap();
            assert_reads(error, &says, &stack.case());
            assert_eq!(error.class(), Some(logs.class), "{says}");
            assert_eq!(error.suggested_status().as_u16(), logs.suggested, "{says}");
            let left = error.retry_after().unwrap();
            let until = error.retry_at().unwrap();
            let until = until.duration_since(stack.clock.wall()).unwrap();
            assert!(left >= until && until.as_secs() > 40, "{left:?} {until:?}");
        }
    }
}

/// RFC 6749's codes for temporary failures, which some servers send with a 4xx.
#[tokio::test]
async fn a_passing_code_is_tried_again_within_the_fetch() {
    for client in CLIENTS {
        for code in ["temporarily_unavailable", "server_error"] {
            for status in [
                StatusCode::OK,
                StatusCode::BAD_REQUEST,
                StatusCode::FORBIDDEN,
            ] {
                let stack = Stack::open(Bank::avista(), client).await;
                stack.bank.token_faults([Fault::oauth_error(status, code)]);
                assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
                let counters = stack.source.status().counters;
                assert_eq!((counters.fetches, counters.attempts), (1, 2), "{code}");
            }
        }
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_named() {
    for client in CLIENTS {
        // Bound and not listening, so that no other socket gets the port.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let place = socket.local_addr().unwrap();
        let bank = Bank::avista().start().await.unwrap();
        let builder = preset(&bank).token_url(format!("http://{place}/token?key=c4n4ry"));
        let stack = Stack::of(bank, client, builder);
        let error = stack.error().await;
        let words = everything(&*error);
        assert!(!words.contains("c4n4ry"), "{words}");
        let error = OAuthError::find(&*error).unwrap();
        let says = format!(
            "the token endpoint could not be reached ({place}): Connection refused (os error 111). \
             Check the host and port of the token URL, the network and the proxy. Tried 3 times."
        );
        assert_reads(error, &says, &stack.case());
    }
}

#[tokio::test]
async fn a_host_of_no_address_is_named() {
    let nowhere = service_fn(async |_: Name| {
        let addresses: [std::net::SocketAddr; 0] = [];
        match addresses.len() {
            0 => Err(io::Error::other("failed to lookup address information")),
            _ => Ok(addresses.into_iter()),
        }
    });
    let client = HyperClient::builder(TokioExecutor::new())
        .build::<_, Full<Bytes>>(HttpConnector::new_with_resolver(nowhere));
    let bank = Bank::avista().start().await.unwrap();
    let source = preset(&bank)
        .token_url("http://login.bank.invalid/token")
        .danger_allow_http("http://login.bank.invalid")
        .build(client)
        .unwrap();
    let error = source.token().await.unwrap_err();
    let says = "the token endpoint could not be reached (login.bank.invalid:80): failed to lookup address \
                information. Check the host and port of the token URL, the network and the proxy. Tried 3 times.";
    assert_reads(&error, says, "no address");
}

/// For a tool that has advice of its own.
#[tokio::test]
async fn a_summary_leaves_advice_and_time_out() {
    let stack = Stack::open(Bank::avista(), CLIENTS[0]).await;
    let fault = Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
    stack.bank.token_fault_always(fault);
    let error = stack.error().await;
    let error = OAuthError::find(&*error).unwrap();
    assert_eq!(
        error.summary(),
        "avista: token request denied: invalid_client (HTTP 401)"
    );
    let advice = error.fetch_error().unwrap().advice();
    assert_eq!(advice, Some("Check client id, secret and environment"));
}
