//! The board, the alert rules and the page for operators know the metrics that there are.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use tower_oauth::metrics::{ALL, Metric, MetricKind};

fn read(file: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    fs::read_to_string(format!("{root}/docs/operate/{file}")).unwrap()
}

fn alert_rules() -> Vec<(String, String)> {
    let text = read("alerts.yml");
    let of = |key: &str| {
        let values = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(key));
        values.map(|it| it.trim().to_owned()).collect::<Vec<_>>()
    };
    let (names, expressions) = (of("- alert:"), of("expr:"));
    assert_eq!(names.len(), expressions.len());
    names.into_iter().zip(expressions).collect()
}

fn board_expressions() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    match value.as_str() {
                        Some(text) if key == "expr" || key == "query" => found.push(text.into()),
                        _ => collect(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|it| collect(it, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(
        &serde_json::from_str(&read("board.json")).unwrap(),
        &mut found,
    );
    found
}

fn is_of_a_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn metric(name: &str) -> Option<&'static Metric> {
    ALL.iter().find(|metric| {
        let rest = name.strip_prefix(metric.name);
        match metric.kind {
            MetricKind::Histogram => {
                rest.is_some_and(|it| ["_bucket", "_sum", "_count"].contains(&it))
            }
            _ => rest == Some(""),
        }
    })
}

/// The labels that an expression names: in braces, in `by (…)`, in `on (…)`, or in `label_values(…, label)`.
fn labels(expression: &str) -> BTreeSet<&str> {
    let between = |open: &'static str, close: char| {
        let parts = expression.split(open).skip(1);
        parts.filter_map(move |it| it.split(close).next())
    };
    let matchers = between("{", '}').flat_map(|it| it.split(','));
    let matchers = matchers.filter_map(|it| it.split(['=', '!']).next());
    let grouped = between("by (", ')').flat_map(|it| it.split(','));
    let matched = between("on (", ')').flat_map(|it| it.split(','));
    matchers
        .chain(grouped)
        .chain(matched)
        .map(str::trim)
        .collect()
}

/// What is wrong with an expression. The operands of `and` may have different labels.
fn mistakes(expression: &str) -> Vec<String> {
    let operands = expression.split(" and ");
    operands.flat_map(mistakes_of_operand).collect()
}

fn mistakes_of_operand(expression: &str) -> Vec<String> {
    let words = expression.split(|letter| !is_of_a_word(letter));
    let names: Vec<_> = words.filter(|word| word.starts_with("oauth_")).collect();
    let unknown = names.iter().filter(|name| metric(name).is_none());
    let mut mistakes: Vec<_> = unknown
        .map(|name| format!("{name} in {expression}"))
        .collect();
    let known: Vec<_> = names.iter().filter_map(|name| metric(name)).collect();
    for label in labels(expression) {
        let has = |metric: &&Metric| label == "le" || metric.labels.contains(&label);
        if !known.iter().all(has) {
            mistakes.push(format!("{label} in {expression}"));
        }
    }
    mistakes
}

#[test]
fn the_board_and_the_alerts_use_metrics_that_exist() {
    let rules = alert_rules().into_iter().map(|(_, expression)| expression);
    let expressions: Vec<_> = rules.chain(board_expressions()).collect();
    let with_metrics = expressions.iter().filter(|it| it.contains("oauth_"));
    assert!(with_metrics.count() > 30, "{expressions:#?}");
    let mistakes: Vec<_> = expressions.iter().flat_map(|it| mistakes(it)).collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}");
}

#[test]
fn the_check_sees_what_it_should() {
    for (expression, wrong) in [
        ("rate(oauth_fetches_total{provider=~\"x\"}[5m])", 0),
        ("rate(oauth_fetch_total[5m])", 1),
        ("oauth_token_usable{pool=\"x\"}", 1),
        ("sum by (endpoint) (oauth_pool_sources)", 1),
        ("oauth_wait_duration_seconds", 1),
        (
            "oauth_fetches_total{class=\"x\"} > 0 and on (provider) oauth_token_usable",
            0,
        ),
        ("oauth_token_usable and on (provider) oauth_pool_sources", 1),
        (
            "sum by (provider, le) (rate(oauth_wait_duration_seconds_bucket[5m]))",
            0,
        ),
    ] {
        assert_eq!(mistakes(expression).len(), wrong, "{expression}");
    }
}

#[test]
fn each_metric_and_each_alert_is_explained() {
    let page = read("README.md");
    for metric in ALL {
        let labels: Vec<_> = metric.labels.iter().map(|it| format!("`{it}`")).collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let row = format!(
            "| `{}` | {kind} | {} | {} |",
            metric.name,
            labels.join(", "),
            metric.description
        );
        assert!(page.contains(&row), "the table lacks: {row}");
    }
    for (alert, _) in alert_rules() {
        let section = format!("### {alert}\n\n**It means:** ");
        let text = page
            .split(&section)
            .nth(1)
            .unwrap_or_else(|| panic!("no section: {alert}"));
        let text = text.split("\n### ").next().unwrap_or_default();
        assert!(text.contains("\n\n**Do:** "), "{alert}");
    }
    let sections = page.lines().filter(|line| line.starts_with("### OAuth"));
    assert_eq!(sections.count(), alert_rules().len());
}

#[test]
fn the_board_asks_for_each_kind_of_metric() {
    let all = board_expressions().join("\n") + &read("alerts.yml");
    let unused: Vec<_> = ALL
        .iter()
        .map(|it| it.name)
        .filter(|it| !all.contains(it))
        .collect();
    let expected = [
        "oauth_attempts_total",
        "oauth_token_age_seconds",
        "oauth_endpoint_attempts_total",
        "oauth_endpoint_pauses_total",
        "oauth_pool_sources_made_total",
    ];
    assert_eq!(unused, expected);
}
