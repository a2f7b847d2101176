//! What a person sees. `.ci/page` runs it, and installs the browser.

use std::{env, fs, time::Duration};

use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use tower_oauth::{
    Clock, Policy,
    client_credentials::ClientCredentialsBuilder,
    identity::Identity,
    testing::{Authority, Bank, Fault},
};

use super::{
    super::{LONG, service, world::World},
    browser::Browser,
    over_sockets::TAG,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// Fetches follow each other at once, and a denial is tried again after a minute.
fn policy(policy: &mut Policy) {
    policy.retry.attempts = 1;
    policy.back_off.min_fetch_interval = Duration::from_millis(1);
    policy.back_off.permanent.first = MINUTE;
    policy.back_off.permanent.max = MINUTE;
}

/// One client has a certificate, and one a name that would be HTML.
fn client(client: ClientCredentialsBuilder, bank: &Bank) -> ClientCredentialsBuilder {
    let client = client.policy(policy);
    match bank.name() {
        "bankly" => client.identity(identity()),
        "conta-simples" => client.name(TAG),
        _ => client,
    }
}

/// It ends in two months.
fn identity() -> Identity {
    let now = Clock::system().wall();
    let authority = Authority::new().unwrap();
    let pair = authority
        .client_certificate("me")
        .serial(0x5A17)
        .valid(now - 300 * DAY, now + 61 * DAY)
        .issue()
        .unwrap();
    let pem = [pair.certificate_pem(), pair.key_pem()].concat();
    Identity::pem(pem).build().unwrap()
}

async fn shown() -> (World, Browser) {
    let world = World::custom(LONG, client).await;
    let browser = Browser::start().await;
    browser.open(&world.base).await;
    (world, browser)
}

fn deny(bank: &Bank) {
    let denied = Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
    bank.token_fault_always(denied);
}

/// The word that Avista's card shows.
const WORD: &str = "document.querySelector('[data-source=avista] .state')?.innerText";
const AVISTA: &str = "document.querySelector('[data-source=avista]')?.innerText";

fn has(text: &str) -> impl Fn(&Value) -> bool {
    move |value| value.as_str().is_some_and(|it| it.contains(text))
}

#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn the_states_follow_a_bank_that_is_broken_healed_and_revokes() {
    let (world, browser) = shown().await;
    let first = "document.querySelector('article')?.dataset.source";
    let summary = "document.getElementById('summary').textContent";
    browser.until_equal(WORD, "Not used yet").await;
    browser.until_equal(summary, "All 4 are well.").await;
    browser.until_equal(first, "anbima").await;

    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
    browser.until_equal(WORD, "Fresh").await;
    browser.until(AVISTA, has("token 1")).await;

    deny(&world.avista);
    world.avista.revoke_all();
    world.status("/cob/x").await;
    browser.until_equal(WORD, "Refresh failing").await;
    browser.until(AVISTA, has("invalid_client")).await;
    browser.until(AVISTA, has("What to do: ")).await;
    browser.until(AVISTA, has("Next attempt")).await;
    browser.until_equal(summary, "1 of 4 to look at.").await;
    browser.until_equal(first, "avista").await;

    world.avista.heal();
    world.upstreams.avista.source().retry_now();
    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
    browser.until_equal(WORD, "Fresh").await;
    browser.until(AVISTA, has("denied (permanent)")).await;
    browser.until(AVISTA, |text| !has("What to do")(text)).await;
    browser.until_equal(summary, "All 4 are well.").await;

    world.avista.revoke_all();
    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
    browser.until(AVISTA, has("Token 3")).await;
    browser.until(AVISTA, has("the API rejected a token")).await;
    browser.until_equal(WORD, "Fresh").await;
}

#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn the_life_of_a_token_is_a_bar_that_moves() {
    let (world, browser) = shown().await;
    world.avista.set_lifetime(Duration::from_secs(30));
    world.status("/cob/x").await;
    let bar = "document.querySelector('[data-source=avista] .life progress')?.value ?? -1";
    let full = browser.until(bar, |value| value.as_f64() > Some(0.0)).await;
    let less = |value: &Value| value.as_f64() > Some(0.0) && value.as_f64() < full.as_f64();
    browser.until(bar, less).await;
    let label = "document.querySelector('[data-source=avista] .life progress').ariaLabel";
    browser
        .until_equal(label, "Life of the token of avista")
        .await;
}

#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn a_back_off_counts_down_and_ends() {
    let (world, browser) = shown().await;
    deny(&world.avista);
    world.status("/cob/x").await;
    browser.until_equal(WORD, "Backing off").await;
    let left = "parseInt(document.querySelector('[data-source=avista] .pause .left')\
                ?.innerText.replace(/^in (1 min )?/, '') ?? -1)";
    let first = browser.until(left, |value| value.as_i64() > Some(0)).await;
    let next = |value: &Value| value.as_i64() > Some(0) && value.as_i64() != first.as_i64();
    browser.until(left, next).await;
    world.avista.heal();
    world.upstreams.avista.source().retry_now();
    browser.until_equal(WORD, "Failing").await;
    world.status("/cob/x").await;
    browser.until_equal(WORD, "Fresh").await;
    browser
        .until_equal("document.querySelector('.pause')", Value::Null)
        .await;
}

#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn a_phone_does_not_scroll_sideways() {
    let (world, browser) = shown().await;
    deny(&world.avista);
    for route in ["/cob/x", "/prices/x", "/accounts/x"] {
        world.status(route).await;
    }
    browser.until_equal(WORD, "Backing off").await;
    for width in [320, 390, 768, 1280] {
        browser.resize(width, 740, 1.0).await;
        browser.until_equal("window.innerWidth", width).await;
        let overflow = "document.documentElement.scrollWidth - window.innerWidth";
        browser
            .until(overflow, |value| value.as_i64() <= Some(0))
            .await;
    }
}

#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn without_javascript_it_is_a_table() {
    let (world, browser) = shown().await;
    deny(&world.avista);
    world.status("/cob/x").await;
    browser.disable_javascript().await;
    for width in [1280, 360] {
        browser.resize(width, 740, 1.0).await;
        browser.open(&world.base).await;
        let page = "document.body.innerText";
        for text in [
            "anbima",
            "Not used yet",
            "Backing off",
            "invalid_client",
            "What to do",
        ] {
            browser.until(page, has(text)).await;
        }
        let rows = "document.querySelectorAll('tbody tr').length";
        browser.until_equal(rows, 4).await;
        browser
            .until_equal("document.querySelectorAll('article').length", 0)
            .await;
        let overflow = "document.documentElement.scrollWidth - window.innerWidth";
        browser
            .until(overflow, |value| value.as_i64() <= Some(0))
            .await;
        let again = "document.querySelector('meta[http-equiv=refresh]').content";
        browser.until_equal(again, "10").await;
    }
}

#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn a_connection_that_is_lost_is_said_and_found_again() {
    let (world, browser) = shown().await;
    let link = "document.getElementById('link').textContent";
    browser.until_equal(link, "Live").await;
    let address = world.base.trim_start_matches("http://").to_owned();
    world.stop.send(()).unwrap();
    world.serving.await.unwrap().unwrap();
    browser
        .until(link, has("Connection lost, trying again"))
        .await;

    let listener = TcpListener::bind(address).await.unwrap();
    let again = service::serve(listener, world.upstreams, std::future::pending());
    let again = tokio::spawn(again);
    browser.until_equal(link, "Live").await;
    browser.until_equal(WORD, "Closed").await; // the sources were shut down with the service
    again.abort();
}

#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn nothing_from_outside_is_read_as_html_and_no_secret_is_shown() {
    let (world, browser) = shown().await;
    let description = format!(r#"{{"error":"invalid_client","error_description":"{TAG}"}}"#);
    let denied = Fault::answer(StatusCode::UNAUTHORIZED, description);
    world.avista.token_fault_always(denied);
    for route in ["/cob/x", "/prices/x", "/accounts/x", "/statements/x"] {
        world.status(route).await;
    }
    browser.until(AVISTA, has(TAG)).await;
    let names = "[...document.querySelectorAll('h2')].map(it => it.textContent).join()";
    browser.until(names, has(TAG)).await;
    browser
        .until_equal("document.getElementById('hit')", Value::Null)
        .await;

    let bankly = world.upstreams.bankly.source();
    browser
        .until("document.body.innerText", has("Certificate "))
        .await;
    let html = browser.value("document.documentElement.outerHTML").await;
    let html = html.as_str().unwrap();
    for source in [bankly, world.upstreams.anbima.source()] {
        let token = source.token().await.unwrap();
        assert!(!html.contains(token.expose_token()), "{html}");
    }
    for bank in world.banks() {
        assert!(!html.contains(bank.client_secret()), "{html}");
    }
}

/// By WCAG 2: the lowest contrast of a text to what is behind it.
const CONTRAST: &str = r"(() => {
    const number = (text) => text.match(/[\d.]+/g).map(Number);
    const light = (rgb) => rgb.slice(0, 3).map((it) => it / 255)
        .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4))
        .reduce((sum, it, at) => sum + it * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = (it) => {
        const colour = number(getComputedStyle(it).backgroundColor);
        return colour.length === 4 && colour[3] === 0 && it.parentElement ? behind(it.parentElement) : colour;
    };
    const texts = [...document.querySelectorAll('body *')]
        .filter((it) => it.offsetParent && [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    const ratios = texts.map((it) => {
        const [one, two] = [light(number(getComputedStyle(it).color)), light(behind(it))];
        return [(Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05), it.className, it.textContent];
    });
    return ratios.sort((one, two) => one[0] - two[0])[0];
})()";

#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn every_text_can_be_read_in_light_and_dark() {
    let (world, browser) = shown().await;
    world.status("/cob/x").await;
    deny(&world.avista);
    world.avista.revoke_all();
    world.status("/cob/x").await;
    deny(world.banks()[0]);
    for route in ["/prices/x", "/accounts/x"] {
        world.status(route).await;
    }
    browser.until_equal(WORD, "Refresh failing").await;
    browser
        .until("document.body.innerText", has("Backing off"))
        .await;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let media = format!("matchMedia('(prefers-color-scheme: {scheme})').matches");
        browser.until_equal(&media, true).await;
        let lowest = browser.value(CONTRAST).await;
        assert!(lowest[0].as_f64() >= Some(4.5), "{scheme}: {lowest}");
    }
}

/// The picture in the guide. `.ci/page --picture` sets the variable.
#[tokio::test]
#[ignore = "needs a browser: .ci/page"]
async fn a_picture_of_the_page() {
    let Ok(path) = env::var("PAGE_PICTURE") else {
        return;
    };
    let world = World::custom(LONG, |client, bank| match bank.name() {
        "bankly" => client.policy(policy).identity(identity()),
        _ => client.policy(policy),
    })
    .await;
    let browser = Browser::start().await;
    browser.resize(1160, 760, 1.5).await;
    browser.open(&world.base).await;
    let [anbima, avista, conta_simples, bankly] = world.banks();
    for (bank, seconds) in [(anbima, 80), (conta_simples, 50), (bankly, 110)] {
        bank.set_lifetime(Duration::from_secs(seconds));
    }
    deny(avista);
    for route in super::super::ROUTES {
        world.status(route).await;
    }
    for bank in [anbima, conta_simples] {
        bank.revoke_all();
    }
    deny(conta_simples);
    for route in ["/prices/x", "/statements/x"] {
        world.status(route).await;
    }
    let bar = "document.querySelector('[data-source=conta-simples] .life progress')?.value ?? 1";
    browser.until(bar, |value| value.as_f64() < Some(0.7)).await;
    let height = browser.value("document.documentElement.scrollHeight").await;
    let height = u32::try_from(height.as_u64().unwrap()).unwrap();
    browser.resize(1160, height, 1.5).await;
    fs::write(path, browser.screenshot().await).unwrap();
}
