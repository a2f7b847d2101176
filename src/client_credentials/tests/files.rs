//! Dialects in configuration files.

use super::*;
use crate::{Margin, provider};

#[test]
fn two_lines_are_enough() {
    let read: Dialect = toml::from_str(
        r#"
        name = "bank"
        token_url = "https://login.example/token"
        "#,
    )
    .unwrap();
    let written = Dialect::new("bank", "https://login.example/token");
    assert_eq!(format!("{read:?}"), format!("{written:?}"));
    assert!(toml::from_str::<Dialect>(r#"name = "bank""#).is_err());
}

#[test]
fn every_providers_dialect_survives_being_written() {
    for dialect in [
        provider::anbima::dialect(),
        provider::avista::dialect(),
        provider::conta_simples::dialect(),
        provider::bankly::dialect(),
    ] {
        let text = toml::to_string(&dialect).unwrap();
        let read: Dialect = toml::from_str(&text).unwrap();
        assert_eq!(toml::to_string(&read).unwrap(), text);
        let json = serde_json::to_string(&dialect).unwrap();
        let read: Dialect = serde_json::from_str(&json).unwrap();
        assert_eq!(toml::to_string(&read).unwrap(), text);
    }
}

#[test]
fn a_secret_is_a_reference_or_is_not_written() {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    let place = crate::SecretRef::Env("KEY".into());
    dialect.token_headers.insert("x-key".into(), place.into());
    let text = toml::to_string(&dialect).unwrap();
    assert!(text.contains(r#"env = "KEY""#), "{text}");

    dialect
        .token_headers
        .insert("x-key".into(), secret("c4n4ry").into());
    assert!(toml::to_string(&dialect).is_err());
}

#[test]
fn durations_and_margins_are_words() {
    let read = |line: &str| {
        toml::from_str::<Dialect>(&format!("name = \"bank\"\ntoken_url = \"x\"\n{line}"))
    };
    let margin = |line| read(line).unwrap().renewal_margin;
    let five_minutes = Duration::from_secs(300);
    assert_eq!(
        margin(r#"renewal_margin = { fixed = "5m" }"#),
        Some(Margin::Fixed(five_minutes))
    );
    assert_eq!(
        margin("renewal_margin = { fraction = 0.1 }"),
        Some(Margin::Fraction(0.1))
    );
    let wait = read(r#"wait_after_429 = "5m""#).unwrap().wait_after_429;
    assert_eq!(wait, Some(five_minutes));
    assert!(read("wait_after_429 = 300").is_err());
}

#[test]
fn an_unknown_key_is_refused_at_every_depth() {
    for line in [
        "colour = 1",
        r#"credentials = "basic""#,
        r#"credentials = { body = { id = "a", secret = "b", key = "c" } }"#,
        r#"grant = { field = { name = "a", value = "b", more = "c" } }"#,
        r#"scope = { name = "scope" }"#,
        r#"response = { access_token = "token" }"#,
        r#"response = { expiry_format = { local_time = { offset = 3 } } }"#,
        "refusal = { sure = [401] }",
        "secret_length = { min = 1, max = 2, mean = 1 }",
        r#"failures = [{ status = 400, class = "fatal" }]"#,
        r#"failures = [{ status = 400, class = "transient", code = "x" }]"#,
        r#"token_headers = { x-key = { environment = "KEY" } }"#,
        r#"renewal_margin = { percent = 10 }"#,
        r#"origins = ["https://api.example/path"]"#,
        r#"headers = { Authorization = "{token" }"#,
    ] {
        let text = format!("name = \"bank\"\ntoken_url = \"https://login.example\"\n{line}");
        assert!(toml::from_str::<Dialect>(&text).is_err(), "{line}");
    }
}
