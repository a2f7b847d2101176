//! Every table of a dialect's file is a table: a list in its place would be read by position, and may send a secret
//! under another name.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::{
    Margin, SecretRef, TokenHeaders,
    client_credentials::{
        CredentialPlacement, ExpiryFormat, FailureRow, Grant, ParamValue, RejectionStatuses,
        ResponseFields, ScopeRule, SecretLength,
    },
};

/// Each table of the file, by its key: a list that could be taken for it, and a part of the shape that the error shows.
const LISTS: [(&str, &str, &str); 18] = [
    (
        "credentials",
        r#"{ "body": ["client_secret", "client_id"] }"#,
        "secret = ",
    ),
    ("credentials", r#"{ "id_only": ["client_id"] }"#, "id = "),
    (
        "credentials",
        r#"["body"]"#,
        "credentials = \"basic_encoded\"",
    ),
    (
        "grant",
        r#"{ "field": ["grantType", "x"] }"#,
        "name = \"grantType\"",
    ),
    ("grant", r#"["absent"]"#, "`\"absent\"`"),
    ("scope", r#"["api:read"]"#, "scope = { field = "),
    ("scope", "[]", "scope = { field = "),
    (
        "response",
        r#"["accessToken", "expiresAt"]"#,
        "response = { token = ",
    ),
    (
        "response",
        r#"{ "expiry_format": { "local_time": [-180] } }"#,
        "utc_offset_minutes = -180",
    ),
    (
        "response",
        r#"{ "expiry_format": ["seconds"] }"#,
        "`\"seconds\"`",
    ),
    (
        "rejection",
        "[[401], [403]]",
        "rejection = { definite = [401]",
    ),
    ("secret_length", "[8, 64]", "secret_length = { min = "),
    (
        "failures",
        r#"[[400, "BUSY", "transient"]]"#,
        "failures = [{ status = ",
    ),
    (
        "refresh_margin",
        r#"["5m"]"#,
        "refresh_margin = { fixed = \"5m\" }",
    ),
    (
        "token_params",
        r#"[["audience", "x"]]"#,
        "token_params = { audience = ",
    ),
    ("token_params", r#"{ "audience": ["x"] }"#, "env = "),
    (
        "token_headers",
        r#"[["x-api-key", "x"]]"#,
        "token_headers = { x-api-key = ",
    ),
    (
        "headers",
        r#"[["Authorization", "{token}"]]"#,
        "headers = { Authorization = ",
    ),
];

/// What is wrong with a dialect that has this beside its two lines, in both formats.
fn errors(key: &str, value: &str) -> [String; 2] {
    let value: Value = serde_json::from_str(value).unwrap();
    let dialect = json!({ "name": "bank", "token_url": "https://login.example/token", key: value });
    let json = dialect.to_string();
    let toml = toml::to_string(&dialect).unwrap();
    [
        serde_json::from_str::<Dialect>(&json)
            .expect_err(&json)
            .to_string(),
        toml::from_str::<Dialect>(&toml)
            .expect_err(&toml)
            .to_string(),
    ]
}

#[test]
fn a_list_is_no_table() {
    for (key, list, shape) in LISTS {
        for error in errors(key, list) {
            assert!(error.contains(shape), "{key} = {list}: {error}");
        }
    }
}

#[test]
fn a_dialect_is_a_table_too() {
    let list = r#"["bank", "https://login.example/token"]"#;
    let error = serde_json::from_str::<Dialect>(list).unwrap_err();
    assert!(error.to_string().contains("token_url = "), "{error}");
}

/// Alone, in somebody else's configuration, they are no less tables.
#[test]
fn nor_is_a_list_a_table_outside_of_a_dialect() {
    fn rejected<T: DeserializeOwned>(list: &str) {
        assert!(
            serde_json::from_str::<T>(list).is_err(),
            "{}",
            std::any::type_name::<T>()
        );
    }
    rejected::<CredentialPlacement>(r#"{ "body": ["client_secret", "client_id"] }"#);
    rejected::<CredentialPlacement>(r#"{ "id_only": [] }"#);
    rejected::<Grant>(r#"{ "field": ["grantType", "x"] }"#);
    rejected::<ScopeRule>(r#"["api:read"]"#);
    rejected::<ResponseFields>(r#"["accessToken"]"#);
    rejected::<ExpiryFormat>(r#"{ "local_time": [-180] }"#);
    rejected::<RejectionStatuses>("[[401]]");
    rejected::<SecretLength>("[8, 64]");
    rejected::<FailureRow>(r#"[400, "BUSY", "transient"]"#);
    rejected::<Margin>(r#"["5m"]"#);
    rejected::<SecretRef>(r#"["KEY"]"#);
    rejected::<ParamValue>(r#"[{ "env": "KEY" }]"#);
    rejected::<TokenHeaders>(r#"[["Authorization", "{token}"]]"#);
}

/// Two variants at once are neither.
#[test]
fn a_choice_is_one_choice() {
    for (key, value) in [
        ("credentials", r#"{ "body": {}, "id_only": {} }"#),
        ("credentials", "{}"),
        ("refresh_margin", r#"{ "fixed": "5m", "fraction": 0.1 }"#),
        ("token_params", r#"{ "key": { "env": "A", "file": "/b" } }"#),
        ("grant", "{}"),
        ("response", r#"{ "expiry_format": {} }"#),
    ] {
        for error in errors(key, value) {
            assert!(error.contains("expected"), "{key} = {value}: {error}");
        }
    }
}

#[test]
fn a_word_that_stands_for_its_defaults_is_enough() {
    let read = |word: &str| {
        let text = format!(
            "name = \"bank\"\ntoken_url = \"https://login.example/token\"\ncredentials = {word}"
        );
        toml::from_str::<Dialect>(&text).unwrap().credentials
    };
    let body = CredentialPlacement::Body {
        id: "client_id".into(),
        secret: "client_secret".into(),
    };
    let id_only = CredentialPlacement::IdOnly {
        id: "client_id".into(),
    };
    for (word, expected) in [
        (r#""body""#, &body),
        ("{ body = {} }", &body),
        (r#""id_only""#, &id_only),
        ("{ id_only = {} }", &id_only),
    ] {
        assert_eq!(read(word), *expected, "{word}");
    }
}

/// A word that is not, and one that is unknown, are answered with what there is to choose from.
#[test]
fn an_error_shows_the_shapes_that_are_understood() {
    for (key, value, shapes) in [
        (
            "credentials",
            r#""basic""#,
            &[
                "\"basic_encoded\"",
                "\"basic_raw\"",
                "body = {",
                "id_only = {",
            ][..],
        ),
        ("credentials", "5", &["\"basic_raw\"", "body = {"]),
        ("credentials", r#""unit variant""#, &["\"basic_raw\""]),
        ("grant", r#""field""#, &["\"absent\"", "field = { name = "]),
        (
            "response",
            r#"{ "expiry_format": "local_time" }"#,
            &["\"rfc3339\"", "local_time = { utc_offset_minutes = -180 }"],
        ),
        (
            "response",
            r#"{ "expiry_format": { "local_time": { "utc_offset_minutes": "-03:00" } } }"#,
            &["minutes east of UTC", "-180"],
        ),
        (
            "refresh_margin",
            "300",
            &["\"5m\"", "\"20%\"", "fixed = \"5m\"", "fraction = 0.2"],
        ),
        ("refresh_margin", r#""soon""#, &["\"5m\"", "\"20%\""]),
        ("refresh_margin", r#""5""#, &["\"5m\"", "\"20%\""]),
        ("refresh_margin", r#""-20%""#, &["\"5m\"", "\"20%\""]),
        ("refresh_margin", r#""nan%""#, &["\"5m\"", "\"20%\""]),
        ("refresh_margin", r#""%""#, &["\"5m\"", "\"20%\""]),
        (
            "refresh_margin",
            r#"{ "percent": 20 }"#,
            &["`fixed`", "`fraction`"],
        ),
        (
            "refresh_margin",
            r#"{ "fixed": 300 }"#,
            &["\"5m\"", "\"90s\""],
        ),
        ("wait_after_429", "300", &["\"5m\"", "\"90s\""]),
        ("wait_after_429", r#""5""#, &["\"5m\"", "\"90s\""]),
        (
            "token_headers",
            r#"{ "x-key": { "environment": "KEY" } }"#,
            &["`env`", "`file`"],
        ),
        ("token_headers", r#"{ "x-key": 5 }"#, &["env = ", "file = "]),
        ("body", r#""xml""#, &["form", "json", "empty"]),
    ] {
        for error in errors(key, value) {
            for shape in shapes {
                assert!(error.contains(shape), "{key} = {value}: {error}");
            }
            assert!(!error.contains("variant,"), "{key} = {value}: {error}");
            assert!(!error.contains("untagged"), "{key} = {value}: {error}");
        }
    }
}

#[test]
fn a_secret_where_its_place_was_to_be_named_is_not_repeated() {
    let error = serde_json::from_str::<SecretRef>(r#""c4n4ry""#).unwrap_err();
    assert!(!error.to_string().contains("c4n4ry"), "{error}");
    assert!(error.to_string().contains("env = "), "{error}");
}

mod flattened {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Configuration {
        client_id: String,
        #[serde(flatten)]
        dialect: Dialect,
    }

    fn read(line: &str) -> [Result<Configuration, String>; 2] {
        let text = format!(
            "client_id = \"me\"\nname = \"bank\"\ntoken_url = \"https://login.example/token\"\n{line}"
        );
        let json = serde_json::to_string(&text.parse::<toml::Table>().unwrap()).unwrap();
        [
            toml::from_str(&text).map_err(|error| error.to_string()),
            serde_json::from_str(&json).map_err(|error| error.to_string()),
        ]
    }

    #[test]
    fn all_that_is_right_is_read() {
        let line = r#"
            refresh_margin = "20%"
            wait_after_429 = "1m"
            credentials = { body = { id = "clientId" } }
            token_headers = { x-api-key = { env = "KEY" } }
            scope = { most = 2 }
            failures = [{ status = 400, class = "transient" }]
        "#;
        for configuration in read(line) {
            let Configuration { client_id, dialect } = configuration.unwrap();
            assert_eq!((&*client_id, &*dialect.name), ("me", "bank"));
            assert_eq!(dialect.refresh_margin, Some(Margin::Fraction(0.2)));
            assert_eq!(dialect.scope.most, Some(2));
            assert_eq!(dialect.failures.len(), 1);
        }
    }

    #[test]
    fn a_misspelt_key_is_rejected() {
        for (line, key) in [
            ("grantt = \"absent\"", "grantt"),
            ("scope = { requried = true }", "requried"),
            ("credentials = { body = { idd = \"x\" } }", "idd"),
        ] {
            for configuration in read(line) {
                let error = configuration.unwrap_err();
                assert!(error.contains(key), "{line}: {error}");
            }
        }
    }
}

#[test]
fn a_number_or_a_boolean_is_not_quoted() {
    for value in ["12345678", "-12345678", "1.2345678e9", "true"] {
        for key in ["token_headers", "header_values"] {
            let text =
                format!("name = 'b'\ntoken_url = 'https://b.example'\n{key} = {{ x = {value} }}");
            let error = toml::from_str::<Dialect>(&text).unwrap_err();
            assert!(!error.message().contains(value), "{}", error.message());
            let text = format!("name = 'b'\ntoken_url = 'https://b.example'\n{key} = {value}");
            let error = toml::from_str::<Dialect>(&text).unwrap_err();
            assert!(!error.message().contains(value), "{}", error.message());
        }
    }
}
