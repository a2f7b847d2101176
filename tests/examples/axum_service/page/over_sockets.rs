//! What the page and its stream hold, without a browser.

use http::{StatusCode, header::CONTENT_SECURITY_POLICY};
use reqwest::Response;
use serde_json::Value;
use tower_oauth::testing::Fault;

use super::super::{LONG, ROUTES, world::World};

/// A name and a description that would be HTML, if they were not escaped.
pub(super) const TAG: &str = "<b id=hit>x</b>";

/// Reads the events of the stream until one fits.
async fn event(stream: &mut Response, mut fits: impl FnMut(&Value) -> bool) -> Value {
    let mut text = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((first, rest)) = text.split_once("\n\n") {
            let data = first.lines().find_map(|line| line.strip_prefix("data: "));
            let data: Value = serde_json::from_str(data.unwrap()).unwrap();
            text = rest.to_owned();
            if fits(&data) {
                return data;
            }
        }
    }
    panic!("the stream has ended");
}

fn word<'a>(page: &'a Value, name: &str) -> &'a str {
    let sources = page["sources"].as_array().unwrap();
    let source = sources.iter().find(|it| it["name"] == name).unwrap();
    source["word"].as_str().unwrap()
}

#[tokio::test]
async fn the_table_has_every_source_and_may_run_nothing_else() {
    let world = World::custom(LONG, |client, bank| match bank.name() {
        "bankly" => client.name(TAG),
        _ => client,
    })
    .await;
    let description = format!(r#"{{"error":"invalid_client","error_description":"{TAG}"}}"#);
    let denied = Fault::answer(StatusCode::UNAUTHORIZED, description);
    world.avista.token_fault_always(denied);
    world.status("/cob/x").await;
    let page = world.get("/").await;
    let policy = page.headers()[CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = page.text().await.unwrap();
    for text in [
        "anbima",
        "conta-simples",
        "Backing off.",
        "What to do: ",
        "1 of 4 failing.",
    ] {
        assert!(html.contains(text), "{text} is not in {html}");
    }
    assert!(!html.contains("<b id"), "{html}");
    assert_eq!(html.matches("&lt;b id=hit&gt;").count(), 2, "{html}");
    assert_eq!(html.matches("<script").count(), 1);
    // The stream is JSON, and its reader takes it for text.
    let mut stream = world.get("/events").await;
    event(&mut stream, |page| word(page, TAG) == "Not used yet").await;
}

#[tokio::test]
async fn the_stream_tells_of_changes_and_shows_no_token() {
    let world = World::new().await;
    let mut stream = world.get("/events").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = event(&mut stream, |_| true).await;
    assert_eq!(word(&first, "avista"), "Not used yet");
    assert_eq!(first["summary"], "All 4 are well.");

    for route in ROUTES {
        assert_eq!(world.status(route).await, StatusCode::OK);
    }
    let all_fresh = |page: &Value| {
        page["summary"].is_string() && {
            let sources = page["sources"].as_array().unwrap();
            sources
                .iter()
                .all(|it| it["word"] == "Fresh" && it["history"][0]["what"] == "token 1")
        }
    };
    let page = event(&mut stream, all_fresh).await.to_string();
    let html = world.get("/").await.text().await.unwrap();
    let banks = world.upstreams.clone();
    for bank in [
        banks.anbima,
        banks.avista,
        banks.conta_simples,
        banks.bankly,
    ] {
        let token = bank.source().token().await.unwrap();
        assert!(!page.contains(token.expose_token()), "{page}");
        assert!(!html.contains(token.expose_token()), "{html}");
    }
    for bank in world.banks() {
        assert!(!page.contains(bank.client_secret()), "{page}");
        assert!(!html.contains(bank.client_secret()), "{html}");
    }
}

#[tokio::test]
async fn the_history_has_rejections_failures_and_tokens() {
    let world = World::with(LONG, |policy| {
        policy.retry.attempts = 1;
        policy.back_off.min_fetch_interval = std::time::Duration::from_millis(1);
    })
    .await;
    let mut stream = world.get("/events").await;
    world.status("/cob/x").await;
    world.avista.revoke_all();
    world.status("/cob/x").await;
    world.avista.revoke_all();
    world
        .avista
        .token_fault_always(Fault::status(StatusCode::SERVICE_UNAVAILABLE));
    world.status("/cob/x").await;
    let failing = |page: &Value| page["summary"] == "1 of 4 to look at.";
    let page = event(&mut stream, failing).await;
    let source = &page["sources"][0];
    assert_eq!(
        (&source["name"], &source["word"]),
        (&"avista".into(), &"Refresh failing".into())
    );
    let entries = source["history"].as_array().unwrap();
    let entries: Vec<_> = entries
        .iter()
        .map(|it| it["what"].as_str().unwrap())
        .collect();
    assert!(entries.contains(&"unavailable (transient)"), "{entries:?}");
    assert!(entries.contains(&"the API rejected a token"), "{entries:?}");
    assert!(entries.contains(&"token 2"), "{entries:?}");
}

#[tokio::test]
async fn a_viewer_does_not_keep_the_service_from_stopping() {
    let world = World::new().await;
    let mut stream = world.get("/events").await;
    event(&mut stream, |_| true).await;
    world.stop.send(()).unwrap();
    let stopped = tokio::time::timeout(LONG / 2, world.serving).await;
    stopped.expect("it stops").unwrap().unwrap();
    while stream.chunk().await.unwrap().is_some() {}
}
