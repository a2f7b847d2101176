use http::StatusCode;
use tower_oauth::testing::{Bank, Fault};

use crate::wire::{FORM, all_banks, api_status, bankly_form, post, send, token, token_request};

#[tokio::test]
async fn no_debug_shows_a_secret_or_a_token() {
    let builder = Bank::avista().credentials("the-id", "the-secret");
    assert!(!format!("{builder:?}").contains("the-secret"));
    let bank = builder.start().await.unwrap();
    let token = token(&bank).await;
    let debug = format!("{bank:?}");
    assert!(debug.contains("tokens_issued: 1"), "{debug}");
    assert!(!debug.contains("the-secret") && !debug.contains(&token));
}

#[tokio::test]
async fn an_error_repeats_nothing_of_the_request() {
    for bank in all_banks().await {
        let mut request = token_request(&bank);
        *request.body_mut() = "some-secret=1".into();
        send(request).await.unwrap();
        api_status(&bank, "some-secret").await;
        let reason = bank.last_error().unwrap();
        assert!(!reason.contains("some-secret"), "{reason}");
    }
}

#[tokio::test]
async fn a_stopped_bank_frees_its_port_for_the_next() {
    let bank = Bank::avista().start().await.unwrap();
    let url = bank.token_url();
    let port = bank
        .api_origin()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(Bank::avista().port(port).start().await.is_err());
    let request = token_request(&bank);
    bank.stop().await;
    assert!(send(request.clone()).await.is_err());
    let again = Bank::avista().port(port).start().await.unwrap();
    assert_eq!(again.token_url(), url);
    assert_eq!(send(request).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_dropped_bank_stops() {
    let bank = Bank::avista().start().await.unwrap();
    let request = token_request(&bank);
    drop(bank);
    assert!(send(request).await.is_err());
}

#[tokio::test]
async fn a_thousand_connections_at_once_are_served() {
    let bank = Bank::anbima().start().await.unwrap();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        requests.spawn(send(token_request(&bank)));
    }
    let answers = requests.join_all().await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(bank.counters().tokens_issued, 1_000);
}

#[tokio::test]
async fn each_unserved_request_is_reported_with_its_reason() {
    let (sent, received) = std::sync::mpsc::channel();
    let bank = Bank::bankly()
        .on_unserved(move |unserved| sent.send(unserved.clone()).unwrap())
        .start()
        .await
        .unwrap();
    let form = bankly_form(&bank, "boleto.read");
    let wrong = form.replace(bank.client_secret(), "canary");
    let more = format!("{form}&audience=canary");
    let odd = format!("{form}&{}=x", bank.client_secret());
    let (token_url, api_url) = (bank.token_url(), bank.api_url());
    let elsewhere = bank.url("/nowhere?canary");
    for (url, body, line) in [
        (&token_url, &*form, ""),
        (
            &token_url,
            &wrong,
            "bankly: POST /connect/token: HTTP 401: the credentials are not the client's: see the field client_secret",
        ),
        (
            &token_url,
            "scope=x",
            "bankly: POST /connect/token: HTTP 400: the body lacks the field grant_type",
        ),
        (
            &token_url,
            &more,
            "bankly: POST /connect/token: HTTP 400: the body has a field that the document does not have: audience",
        ),
        (
            &token_url,
            &odd,
            "bankly: POST /connect/token: HTTP 400: the body has a field that the document does not have",
        ),
        (
            &api_url,
            "",
            "bankly: POST /accounts: HTTP 401: authorization must be Bearer with a token",
        ),
        (
            &elsewhere,
            "",
            "bankly: POST /nowhere: HTTP 404: the bank has no such path",
        ),
    ] {
        send(post(url, FORM, body)).await.unwrap();
        let sent = received.try_recv().ok();
        assert_eq!(sent.map(|it| it.to_string()).unwrap_or_default(), line);
    }
    bank.token_faults([Fault::status(StatusCode::UNAUTHORIZED)]);
    send(post(&token_url, FORM, &wrong)).await.unwrap();
    assert!(received.try_recv().is_err());
}
