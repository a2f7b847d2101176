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
    let dialects = provider::all().iter().flat_map(|provider| {
        let environments = provider.environments();
        environments.map(|it| provider.dialect(it).unwrap())
    });
    for dialect in dialects {
        let text = toml::to_string(&dialect).unwrap();
        let read: Dialect = toml::from_str(&text).unwrap();
        assert_eq!(toml::to_string(&read).unwrap(), text);
        let json = serde_json::to_string(&dialect).unwrap();
        let read: Dialect = serde_json::from_str(&json).unwrap();
        assert_eq!(toml::to_string(&read).unwrap(), text);
    }
}

#[test]
fn every_table_survives_being_written() {
    let text = r#"
        name = "bank"
        token_url = "https://login.example/token?channel=api"
        origins = ["https://api.example"]
        danger_allow_http = ["http://mesh.internal"]
        credentials = { body = { id = "clientId", secret = "clientSecret" } }
        body = "json"
        grant = { field = { name = "grantType", value = "x" } }
        scope = { field = "scopes", format = "json_array", required = true, most = 5 }
        token_params = { audience = "payments" }
        token_headers = { x-api-key = { env = "KEY" }, x-cert = { file = "/run/cert" } }
        headers = { Authorization = "Bearer {token}", jwt = "{jwt}" }
        response = { token = "t", expiry = "e", expiry_format = { local_time = { utc_offset_minutes = -180 } }, extras = ["jwt"] }
        default_lifetime = "30m"
        max_lifetime = "12h"
        refresh_margin = "12.5%"
        rejection = { definite = [401, 419], ambiguous = [403] }
        wait_after_429 = "1m"
        failures = [{ status = 400, error = "BUSY", class = "transient" }, { status = 409, class = "permanent" }]
        secret_length = { min = 8, max = 64 }
    "#;
    let read: Dialect = toml::from_str(text).unwrap();
    let toml = toml::to_string(&read).unwrap();
    let json = serde_json::to_string(&read).unwrap();
    for again in [
        toml::from_str::<Dialect>(&toml).unwrap(),
        serde_json::from_str(&json).unwrap(),
    ] {
        assert_eq!(toml::to_string(&again).unwrap(), toml);
        assert!(toml.contains("fraction = 0.125"), "{toml}");
    }

    let words = [
        r#"credentials = { id_only = { id = "id" } }"#,
        "grant = \"absent\"\nrefresh_margin = \"5m\"",
        r#"response = { expiry_format = "epoch_seconds" }"#,
    ];
    for words in words {
        let text = format!("name = \"bank\"\ntoken_url = \"https://login.example\"\n{words}");
        let read: Dialect = toml::from_str(&text).unwrap();
        let json = serde_json::to_string(&read).unwrap();
        let again: Dialect = serde_json::from_str(&json).unwrap();
        assert_eq!(format!("{again:?}"), format!("{read:?}"));
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
    let margin = |line: &str| read(line).unwrap().refresh_margin;
    let five_minutes = Duration::from_secs(300);
    assert_eq!(
        margin(r#"refresh_margin = { fixed = "5m" }"#),
        Some(Margin::Fixed(five_minutes))
    );
    assert_eq!(
        margin("refresh_margin = { fraction = 0.1 }"),
        Some(Margin::Fraction(0.1))
    );
    assert_eq!(
        margin(r#"refresh_margin = "5m""#),
        Some(Margin::Fixed(five_minutes))
    );
    for (percent, part) in [("20%", 0.2), ("12.5%", 0.125), ("7 %", 0.07), ("0%", 0.0)] {
        let line = format!("refresh_margin = \"{percent}\"");
        assert_eq!(margin(&line), Some(Margin::Fraction(part)), "{percent}");
    }
    let wait = read(r#"wait_after_429 = "5m""#).unwrap().wait_after_429;
    assert_eq!(wait, Some(five_minutes));
    assert!(read("wait_after_429 = 300").is_err());
}

#[test]
fn an_unknown_key_is_rejected_at_every_depth() {
    for line in [
        "colour = 1",
        r#"credentials = "basic""#,
        r#"credentials = { body = { id = "a", secret = "b", key = "c" } }"#,
        r#"grant = { field = { name = "a", value = "b", more = "c" } }"#,
        r#"scope = { name = "scope" }"#,
        r#"response = { access_token = "token" }"#,
        r#"response = { expiry_format = { local_time = { offset = 3 } } }"#,
        "rejection = { sure = [401] }",
        "secret_length = { min = 1, max = 2, mean = 1 }",
        r#"failures = [{ status = 400, class = "fatal" }]"#,
        r#"failures = [{ status = 400, class = "transient", code = "x" }]"#,
        r#"token_headers = { x-key = { environment = "KEY" } }"#,
        r#"refresh_margin = { percent = 10 }"#,
        r#"origins = ["https://api.example/path"]"#,
        r#"headers = { Authorization = "{token" }"#,
    ] {
        let text = format!("name = \"bank\"\ntoken_url = \"https://login.example\"\n{line}");
        assert!(toml::from_str::<Dialect>(&text).is_err(), "{line}");
    }
}
