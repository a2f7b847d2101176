use http::header;
use tower_oauth::testing::Foreign;

use crate::wire::{JSON, json, post, send};

#[tokio::test]
async fn all_that_comes_is_kept() {
    let foreign = Foreign::start().await.unwrap();
    assert!(foreign.requests().is_empty());
    let mut request = post(&foreign.url(), JSON, "a secret");
    let value = "Bearer leaked".parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, value);
    let answer = send(request).await.unwrap();
    assert!(json(&answer)["access_token"].is_string());

    let [seen] = &foreign.requests()[..] else {
        panic!("one request was sent");
    };
    assert_eq!(seen.method(), "POST");
    assert_eq!(seen.uri().path(), "/foreign");
    assert_eq!(seen.headers()[header::AUTHORIZATION], "Bearer leaked");
    assert_eq!(seen.body(), "a secret");
}

#[tokio::test]
async fn its_debug_shows_nothing_of_what_came() {
    let foreign = Foreign::start().await.unwrap();
    send(post(&foreign.url(), JSON, "a secret")).await.unwrap();
    let debug = format!("{foreign:?}");
    assert!(debug.contains("requests: 1"), "{debug}");
    assert!(!debug.contains("a secret"));
}
