//! A certificate that is renewed while requests run: new connections show it, the old ones are not used again, and the
//! token that was bound to the old one is refreshed.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy, rt::TokioExecutor};
use rustls::client::Resumption;
use tower_oauth::{
    Clock, OAuthError,
    identity::{Identity, roots_from_pem},
    testing::{Authority, Bank, BankCounters, Tls},
};

use super::{
    renewed::{Files, Renewed, by_certificate, issue},
    stack::{CLIENTS, Client, Credentials, open},
};
use crate::support::presets::preset;

#[tokio::test]
async fn a_renewed_certificate_is_shown_at_once_and_costs_one_fetch_and_no_request() {
    let authority = Authority::new().unwrap();
    for client in CLIENTS {
        let (old, new) = (issue(&authority, 1), issue(&authority, 2));
        let files = Files::new(&format!("{client:?}"), &old);
        let bank = open(Bank::bankly(), &authority).await;
        let identity = files.identity().build().unwrap();
        let stack = Renewed::new(client, &authority, &identity, by_certificate(&bank));
        let post = || async { stack.post(&bank.api_url()).await.unwrap().status() };
        for _ in 0..3 {
            assert_eq!(post().await, StatusCode::OK, "{client:?}");
        }
        let before = bank.certificate_use(&old);
        assert_eq!(stack.source.status().certificate.unwrap().serial, "01");

        bank.accept_only(&[&new]).unwrap();
        files.write(&new);
        assert_eq!(identity.reload(), Ok(true), "{client:?}");
        let together = futures_util::future::join_all((0..20).map(|_| post())).await;
        assert_eq!(together, [StatusCode::OK; 20], "{client:?}");
        bank.wait_for(|counters| counters.tokens_issued == 2).await;
        for _ in 0..3 {
            assert_eq!(post().await, StatusCode::OK, "{client:?}");
        }

        assert_eq!(bank.certificate_use(&old), before, "{client:?}");
        assert!(bank.certificate_use(&new).handshakes >= 2, "{client:?}");
        assert_eq!(stack.source.status().certificate.unwrap().serial, "02");
        let BankCounters {
            token_requests,
            token_denials,
            ..
        } = bank.counters();
        assert_eq!((token_requests, token_denials), (2, 0), "{client:?}");
        assert_eq!(stack.source.status().counters.fetches, 2, "{client:?}");
    }
}

/// Nobody calls `reload`: the task finds the new pair, also while no request runs.
#[tokio::test]
async fn an_idle_source_has_a_token_of_the_new_certificate_too() {
    let authority = Authority::new().unwrap();
    let (old, new) = (issue(&authority, 1), issue(&authority, 2));
    let files = Files::new("idle", &old);
    let bank = open(Bank::bankly(), &authority).await;
    let identity = files.identity().poll_interval(Duration::from_millis(5));
    let identity = identity.build().unwrap();
    let builder = by_certificate(&bank);
    let stack = Renewed::new(Client::Reqwest13, &authority, &identity, builder);
    stack.source.ready().await.unwrap();
    files.write(&new);
    bank.wait_for(|counters| counters.tokens_issued == 2).await;
    assert_eq!(bank.certificate_use(&new).requests, 1);
}

/// The bank's clock is right, and the identity's runs until the certificate has ended.
#[tokio::test]
async fn an_expired_certificate_is_named_where_the_bank_rejects_it() {
    let day = Duration::from_secs(24 * 60 * 60);
    let authority = Authority::new().unwrap();
    for client in CLIENTS {
        let clock = Clock::tokio();
        let now = clock.wall();
        let ended = authority.client_certificate("me").serial(0xabc);
        let ended = ended.valid(now - 9 * day, now - day).issue().unwrap();
        let files = Files::new(&format!("expired-{client:?}"), &ended);
        clock.step_wall_back(2 * day);
        let identity = files.identity().clock(clock.clone()).build().unwrap();
        let bank = open(Bank::avista(), &authority).await;
        let message = async || {
            let stack = Renewed::new(client, &authority, &identity, preset(&bank));
            let error = stack.post(&bank.api_url()).await.unwrap_err();
            OAuthError::find(&*error).unwrap().to_string()
        };
        assert!(
            message().await.contains("Check the client certificate"),
            "{client:?}"
        );
        clock.step_wall_forward(2 * day);
        let message = message().await;
        let says = "The client certificate 0ABC has expired on ";
        assert!(message.contains(says), "{client:?}: {message}");
    }
}

/// One `ClientBuilder` cannot follow files; a pair from memory it can show.
#[tokio::test]
async fn one_reqwest_builder_takes_only_an_identity_that_cannot_change() {
    let authority = Authority::new().unwrap();
    let pair = issue(&authority, 1);
    let files = Files::new("fixed", &pair);
    let bank = open(Bank::bankly(), &authority).await;
    let trusted = || Credentials::showing(&authority, None).reqwest(Client::Reqwest13);

    let from_files = files.identity().build().unwrap();
    let builder = by_certificate(&bank).identity(from_files);
    let error = builder.build_reqwest(trusted()).unwrap_err();
    assert_eq!(
        (error.source_name(), error.field()),
        (Some("bankly"), "identity")
    );
    assert!(error.rule().contains("use `build_reqwest_with`"), "{error}");

    let pem = [pair.certificate_pem(), pair.key_pem()].concat();
    let fixed = Identity::pem(pem).build().unwrap();
    let source = by_certificate(&bank)
        .identity(fixed)
        .build_reqwest(trusted());
    source.unwrap().ready().await.unwrap();
    assert_eq!(bank.certificate_use(&pair).requests, 1);
}

/// The bank changes its authority, and so does the client.
#[tokio::test]
async fn an_authority_is_replaced_while_the_bank_runs() {
    let (first, second) = (Authority::new().unwrap(), Authority::new().unwrap());
    let files = Files::new("authority", &issue(&first, 1));
    let bank = Bank::bankly()
        .tls(Tls::new(&first).unwrap())
        .start()
        .await
        .unwrap();
    let identity = files.identity().build().unwrap();
    let stack = Renewed::new(Client::Hyper13, &first, &identity, by_certificate(&bank));
    stack.source.ready().await.unwrap();
    bank.accept_clients_of(&[&second]).unwrap();
    files.write(&issue(&second, 2));
    assert_eq!(identity.reload(), Ok(true));
    let response = stack.post(&bank.api_url()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

/// Each handshake asks for the certificate anew. A client that keeps neither connections nor TLS sessions needs no
/// more.
#[tokio::test]
async fn a_resolver_shows_the_certificate_in_use_at_each_handshake() {
    let authority = Authority::new().unwrap();
    let (old, new) = (issue(&authority, 1), issue(&authority, 2));
    let files = Files::new("resolver", &old);
    let bank = open(Bank::bankly(), &authority).await;
    let identity = files.identity().build().unwrap();
    let roots = roots_from_pem(authority.certificate_pem().as_bytes()).unwrap();
    let mut config = identity.client_config(roots);
    config.resumption = Resumption::disabled();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_http1()
        .build();
    let client = legacy::Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build::<_, Full<Bytes>>(connector);
    let request = async || client.get(bank.api_url().parse().unwrap()).await.unwrap();
    request().await;
    files.write(&new);
    assert_eq!(identity.reload(), Ok(true));
    request().await;
    let used = [&old, &new].map(|it| bank.certificate_use(it).handshakes);
    assert_eq!(used, [1, 1]);
}
