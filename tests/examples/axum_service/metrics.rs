//! What Prometheus reads while a bank fails and comes back.

use std::collections::BTreeMap;

use http::StatusCode;
use tower_oauth::{metrics::ALL, testing::Fault};

use super::world::World;

/// Every series of a scrape, with its value.
type Scrape = BTreeMap<String, f64>;

async fn scrape(world: &World) -> Scrape {
    let answer = world.get("/metrics").await;
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4"
    );
    let text = answer.text().await.unwrap();
    for bank in world.banks() {
        assert!(!text.contains(bank.client_secret()) && !text.contains(bank.client_id()));
    }
    assert!(
        text.contains("# HELP oauth_token_usable 1 if a request would get a token"),
        "{text}"
    );
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let series = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    });
    series.collect()
}

fn value(scrape: &Scrape, series: &str) -> f64 {
    scrape.get(series).copied().unwrap_or(0.0)
}

/// The recorder belongs to the process, in which other tests count too: only this one looks, and only for more.
#[tokio::test]
async fn the_counters_move_while_a_bank_fails_and_comes_back() {
    let world = World::new().await;
    let before = scrape(&world).await;
    let more = |after: &Scrape, series: &str| value(after, series) - value(&before, series);
    let failed = r#"oauth_fetches_total{provider="avista",cause="missing",outcome="failed",class="permanent"}"#;
    let succeeded =
        r#"oauth_fetches_total{provider="avista",cause="missing",outcome="new",class="none"}"#;

    let denied = Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
    world.avista.token_fault_always(denied);
    world.status("/cob/x").await;
    let down = scrape(&world).await;
    assert!(more(&down, failed) >= 1.0, "{down:#?}");
    assert!(
        more(
            &down,
            r#"oauth_wait_duration_seconds_count{provider="avista",outcome="error"}"#
        ) >= 1.0
    );
    assert_eq!(
        value(&down, r#"oauth_token_usable{provider="avista"}"#),
        0.0
    );
    assert_eq!(
        value(&down, r#"oauth_consecutive_failures{provider="avista"}"#),
        1.0
    );
    let back_off = value(&down, r#"oauth_back_off_seconds{provider="avista"}"#);
    assert!(back_off > 0.0 && back_off <= 6.25, "{back_off}");

    world.avista.heal();
    world.upstreams.avista.source().retry_now();
    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
    let up = scrape(&world).await;
    assert!(more(&up, succeeded) >= 1.0, "{up:#?}");
    assert!(
        more(
            &up,
            r#"oauth_fetch_duration_seconds_count{provider="avista",outcome="new"}"#
        ) >= 1.0
    );
    assert_eq!(value(&up, r#"oauth_token_usable{provider="avista"}"#), 1.0);
    assert_eq!(
        value(&up, r#"oauth_consecutive_failures{provider="avista"}"#),
        0.0
    );
    let expiry = value(&up, r#"oauth_token_expiry_seconds{provider="avista"}"#);
    assert!(expiry > 3500.0 && expiry <= 3600.0, "{expiry}");

    world.avista.revoke_all();
    assert_eq!(world.status("/cob/x").await, StatusCode::OK);
    let retried = scrape(&world).await;
    let rejections = r#"oauth_rejections_total{provider="avista",rejection="definite"}"#;
    assert!(more(&retried, rejections) >= 1.0, "{retried:#?}");
    assert!(more(&retried, r#"oauth_retries_total{provider="avista"}"#) >= 1.0);

    only_documented(&retried);
}

/// Names and labels are those of the table.
fn only_documented(scrape: &Scrape) {
    let ours = scrape.keys().filter(|series| series.starts_with("oauth_"));
    for series in ours {
        let (name, labels) = series.split_once('{').unwrap();
        let metric = ALL.iter().find(|it| {
            let rest = name.strip_prefix(it.name);
            rest.is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
        });
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the table"));
        let labels = labels.trim_end_matches('}').split(',');
        let labels: Vec<_> = labels.filter_map(|it| it.split('=').next()).collect();
        let known = |label: &&&str| **label == "le" || metric.labels.contains(label);
        assert_eq!(
            labels.iter().filter(known).count(),
            labels.len(),
            "{series}"
        );
    }
}
