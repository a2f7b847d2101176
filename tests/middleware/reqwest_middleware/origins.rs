//! Where nothing may go: other origins, and wherever a redirect points.

use http::{Method, StatusCode};
use reqwest::Request;
use reqwest_middleware::ClientBuilder;
use tower_oauth::{
    OAuthError,
    testing::{Bank, Fault, Foreign},
};

use super::{all_banks, get, middleware, post, retrying};

const REDIRECTS: [StatusCode; 5] = [
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::FOUND,
    StatusCode::SEE_OTHER,
    StatusCode::TEMPORARY_REDIRECT,
    StatusCode::PERMANENT_REDIRECT,
];

#[tokio::test]
async fn a_foreign_origin_gets_nothing_and_no_token_is_fetched() {
    let (bank, foreign) = (
        Bank::avista().start().await.unwrap(),
        Foreign::start().await.unwrap(),
    );
    let client = retrying(&bank);
    let with_user = bank.api_url().replace("http://", "http://user@");
    for url in [foreign.url(), with_user] {
        let request = Request::new(Method::GET, url.parse().unwrap());
        let error = client.execute(request).await.unwrap_err();
        assert!(error.is_middleware());
        let oauth = OAuthError::find(&error).unwrap();
        assert!(oauth.is_foreign_origin(), "{oauth}");
    }
    assert!(foreign.requests().is_empty());
    assert_eq!(bank.counters(), Default::default());
}

#[tokio::test]
async fn an_address_that_is_no_uri_is_not_sent() {
    let bank = Bank::avista().start().await.unwrap();
    let url = bank.url(&format!("/{}", "x".repeat(1 << 16)));
    let error = retrying(&bank).get(url).send().await.unwrap_err();
    // reqwest's own check: its origin is the bank's.
    assert!(error.is_builder());
    assert_eq!(bank.counters().api_ok, 0);
}

#[tokio::test]
async fn nor_is_one_of_elsewhere() {
    let bank = Bank::avista().start().await.unwrap();
    let url = format!("https://elsewhere.example/{}", "x".repeat(1 << 16));
    let error = retrying(&bank).get(url).send().await.unwrap_err();
    let oauth = OAuthError::find(&error).unwrap();
    assert!(oauth.is_foreign_origin(), "{oauth}");
    assert_eq!(bank.counters(), Default::default());
}

/// What is dialled is the URL, after `url` has read it: it is the URL that is looked at, whatever its text was.
#[tokio::test]
async fn a_url_is_judged_by_where_it_leads() {
    let (bank, foreign) = (
        Bank::avista().start().await.unwrap(),
        Foreign::start().await.unwrap(),
    );
    let client = retrying(&bank);
    let port_of = |origin: String| origin.rsplit_once(':').unwrap().1.to_owned();
    let (home, away) = (port_of(bank.api_origin()), port_of(foreign.origin()));
    for text in [
        format!("http://127.0.0.1:{home}@127.0.0.1:{away}/steal"),
        format!("http://127.0.0.1:{away}\\@127.0.0.1:{home}/"),
        format!("http://2130706433:{away}/steal"),
        format!("http:127.1:{away}/steal"),
        format!("http://user:word@127.0.0.1:{home}/"),
        format!("http://:word@127.0.0.1:{home}/"),
        format!("http://[::ffff:127.0.0.1]:{home}/"),
        format!("http://127.0.0.1.:{away}/"),
        format!("https://127.0.0.1:{home}/"),
        format!("ftp://127.0.0.1:{home}/"),
    ] {
        let request = Request::new(Method::GET, text.parse().unwrap());
        let error = client.execute(request).await.unwrap_err();
        let oauth = OAuthError::find(&error).unwrap();
        assert!(oauth.is_foreign_origin(), "{text}: {oauth}");
    }
    assert_eq!(bank.counters(), Default::default());

    // Other spellings of the very address that the token is for.
    for host in [
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "%3127.0.0.1",
        "\u{ff11}27.0.0.1",
        "127.0.0.1.",
    ] {
        let url = format!("http://{host}:{home}/cob/1");
        assert_eq!(get(&client, &url).await, StatusCode::OK, "{host}");
    }
    assert!(foreign.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_of_the_api_is_handed_on_and_takes_nothing_along() {
    let foreign = Foreign::start().await.unwrap();
    for bank in all_banks().await {
        let client = retrying(&bank);
        for status in REDIRECTS {
            bank.api_faults([
                Fault::redirect(status, &foreign.url()),
                Fault::redirect(status, &foreign.url()),
            ]);
            assert_eq!(get(&client, &bank.api_url()).await, status);
            assert_eq!(post(&client, &bank, "x").await.status(), status);
        }
        assert_eq!(bank.counters().api_requests, 10, "{}", bank.name());
    }
    assert!(foreign.requests().is_empty());
}

/// Why the docs ask for a client that follows no redirects.
#[tokio::test]
async fn a_client_that_follows_redirects_takes_anbimas_token_along() {
    let (bank, foreign) = (
        Bank::anbima().start().await.unwrap(),
        Foreign::start().await.unwrap(),
    );
    let following = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = ClientBuilder::new(following)
        .with(middleware(&bank).retry_rejected())
        .build();
    bank.api_faults([Fault::redirect(
        StatusCode::TEMPORARY_REDIRECT,
        &foreign.url(),
    )]);
    get(&client, &bank.api_url()).await;
    assert!(foreign.requests()[0].headers().contains_key("access_token"));
}

#[tokio::test]
async fn a_redirect_of_the_token_endpoint_is_an_error_and_takes_nothing_along() {
    let foreign = Foreign::start().await.unwrap();
    for status in REDIRECTS {
        for bank in all_banks().await {
            bank.token_fault_always(Fault::redirect(status, &foreign.url()));
            let request = retrying(&bank).get(bank.api_url());
            let error = request.send().await.unwrap_err();
            let oauth = OAuthError::find(&error).unwrap();
            assert_eq!(oauth.fetch_error().unwrap().status(), Some(status));
            assert_eq!(bank.counters().api_requests, 0);
        }
    }
    assert!(foreign.requests().is_empty());
}
