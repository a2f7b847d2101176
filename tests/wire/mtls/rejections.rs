//! What does not: certificates that one side does not take from the other. Each is an error that says so, and is not
//! tried again until the back-off has passed.

use std::{error::Error, iter::successors};

use tower_oauth::{
    BoxError, FailureClass, OAuthError, TokenSource,
    testing::{Authority, Bank, Identity, Tls},
};

use crate::{
    mtls::stack::{CLIENTS, Client, Credentials, Stack, open},
    support::presets::{BANKS, preset},
};

/// An error's words, and those of all that caused it.
fn chain(error: &BoxError) -> String {
    let links = successors(Some(&**error as &dyn Error), |&error| error.source());
    links.map(|error| format!("{error}\n")).collect()
}

/// What one fetch ended with: where, why, what to check, each said once, however the error is printed; and one attempt
/// was all.
#[track_caller]
fn assert_tells(error: &BoxError, bank: &Bank, source: &TokenSource, says: &[&str], case: &str) {
    let words = chain(error);
    let place = bank.api_origin().replace("https://", "");
    for says in says.iter().chain(&[&*place, "Next attempt at"]) {
        assert_eq!(words.matches(says).count(), 1, "{case}: {says}: {words}");
    }
    let error = OAuthError::find(&**error).unwrap();
    assert!(error.is_unavailable(), "{case}: {words}");
    assert!(error.retry_at().is_some(), "{case}: {words}");
    let counters = source.status().counters;
    assert_eq!((counters.attempts, counters.failures), (1, 1), "{case}");
}

#[track_caller]
fn assert_class(error: &BoxError, class: FailureClass, rejected: bool, case: &str) {
    let error = OAuthError::find(&**error).unwrap();
    assert_eq!(error.class(), Some(class), "{case}");
    let fetch_error = error.fetch_error().unwrap();
    assert_eq!(fetch_error.is_certificate_rejected(), rejected, "{case}");
}

const REJECTED: &str = "the token endpoint rejected the client certificate";
const MISSING: &str = "the token endpoint demands a client certificate";

/// Certificates that the bank does not take, what the error says, and the bank's word for it.
fn unwelcome(authority: &Authority) -> [(Option<Identity>, &'static str, &'static str); 5] {
    let foreign = Authority::new().unwrap();
    let expired = authority.backdated().client("me").unwrap();
    let of_a_server = authority.loopback_server().unwrap();
    let foreign_and_expired = foreign.backdated().client("me").unwrap();
    [
        (None, MISSING, "CertificateRequired"),
        (Some(foreign.client("me").unwrap()), REJECTED, "UnknownCA"),
        (Some(foreign_and_expired), REJECTED, "CertificateExpired"),
        (Some(expired), REJECTED, "CertificateExpired"),
        (Some(of_a_server), REJECTED, "UnsupportedCertificate"),
    ]
}

#[tokio::test]
async fn a_client_certificate_that_the_bank_does_not_take() {
    let authority = Authority::new().unwrap();
    for (client, builder) in CLIENTS.into_iter().zip(BANKS) {
        let bank = open(builder(), &authority).await;
        for (shown, says, alert) in unwelcome(&authority) {
            let credentials = Credentials::showing(&authority, shown);
            let stack = Stack::new(client, &credentials, preset(&bank));
            let error = stack.post(&bank.api_url()).await.unwrap_err();
            let case = format!("{} by {client:?}, {alert}", bank.name());
            let advice = match says {
                MISSING => "Give the HTTP client a certificate",
                _ => "Check the client certificate",
            };
            assert_tells(&error, &bank, &stack.source, &[says, alert, advice], &case);
            assert_class(&error, FailureClass::Permanent, true, &case);
        }
        let counters = bank.counters();
        assert_eq!((counters.token_requests, counters.api_requests), (0, 0));
    }
}

#[tokio::test]
async fn a_bank_whose_certificate_the_client_does_not_take() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let credentials = Credentials::good(&authority);
    for (identity, says) in [
        (foreign.loopback_server(), "UnknownIssuer"),
        (
            authority.backdated().loopback_server(),
            "certificate expired",
        ),
        (
            authority.server(["elsewhere.example"]),
            "not valid for name",
        ),
    ] {
        let tls = Tls::new(&authority).unwrap().identity(identity.unwrap());
        let bank = Bank::avista().tls(tls).start().await.unwrap();
        for client in CLIENTS {
            let stack = Stack::new(client, &credentials, preset(&bank));
            let error = stack.post(&bank.api_url()).await.unwrap_err();
            let case = format!("{client:?}, {says}");
            let checks = ["authorities", "host name", "clock"];
            let says = ["TLS with the token endpoint failed", says];
            let says = [&says[..], &checks[..]].concat();
            assert_tells(&error, &bank, &stack.source, &says, &case);
            assert_class(&error, FailureClass::Unclear, false, &case);
        }
        assert_eq!(bank.counters().token_requests, 0);
    }
}

/// The token endpoint is another machine than the API, which requires a certificate: what the API's client says is
/// handed on as it is, and no token is blamed.
#[tokio::test]
async fn an_api_that_does_not_take_the_certificate_costs_no_fetch() {
    let authority = Authority::new().unwrap();
    let lenient = Tls::new(&authority).unwrap().client_certificate_optional();
    let credentials = Credentials::showing(&authority, None);
    for client in [Client::Hyper13, Client::Reqwest13] {
        let login = Bank::avista().tls(lenient.clone()).start().await.unwrap();
        let api = open(Bank::avista(), &authority).await;
        let builder = preset(&login).origin(api.api_origin());
        let stack = Stack::new(client, &credentials, builder);
        for _ in 0..2 {
            let error = stack.post(&api.api_url()).await.unwrap_err();
            assert!(OAuthError::find(&*error).is_none(), "{client:?}: {error}");
            let words = format!("{error:?}");
            assert!(words.contains("CertificateRequired"), "{client:?}: {words}");
        }
        assert_eq!(login.counters().token_requests, 1, "{client:?}");
    }
}
