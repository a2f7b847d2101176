//! Header templates: filled as one would by hand, and the same after being written and read.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tower::service_fn;
use tower_oauth::{BoxError, Token, TokenHeaders, TokenRequest, TokenSource};

use crate::{config, run};

const TOKEN: &str = "t0k3n~ =+/";
const JWT: &str = "eyJ.hbG";

/// A template's parts, each with what it becomes.
fn parts() -> impl Strategy<Value = Vec<(String, String)>> {
    let literal = "[ -z|~]{1,8}".prop_map(|text| (text.clone(), text));
    let token = Just(("{token}".to_owned(), TOKEN.to_owned()));
    let jwt = Just(("{jwt_token}".to_owned(), JWT.to_owned()));
    prop::collection::vec(prop_oneof![literal, token, jwt], 1..6)
}

fn templates() -> impl Strategy<Value = BTreeMap<String, Vec<(String, String)>>> {
    prop::collection::btree_map("[a-z][a-z0-9_-]{0,12}", parts(), 1..4)
}

fn rendered(headers: TokenHeaders) -> BTreeMap<String, String> {
    let fetcher = service_fn(async |_: TokenRequest| {
        Ok::<_, BoxError>(Token::new(TOKEN).with_extra("jwt_token", JWT))
    });
    let source = TokenSource::builder(fetcher).headers(headers);
    let source = source.build().unwrap();
    let token = run(source.token()).unwrap();
    let headers = token.headers();
    let text = |value: &http::HeaderValue| String::from_utf8(value.as_bytes().into()).unwrap();
    headers
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_template_is_filled_as_by_hand(mut templates in templates()) {
        // Some header must hold it.
        templates.insert("x-token".into(), vec![("{token}".into(), TOKEN.into())]);
        let joined = |side: fn(&(String, String)) -> &String| -> BTreeMap<String, String> {
            let join = |parts: &Vec<_>| parts.iter().map(side).cloned().collect::<String>();
            templates.iter().map(|(name, parts)| (name.clone(), join(parts))).collect()
        };
        let (table, expected) = (joined(|it| &it.0), joined(|it| &it.1));

        let json = serde_json::to_string(&table).unwrap();
        let headers: TokenHeaders = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&headers).unwrap(), json);
        assert_eq!(rendered(headers), expected);
    }

    #[test]
    fn braces_come_in_pairs_around_a_name(text in "[a{}]{0,12}") {
        let taken = TokenHeaders::none().with("x", &text).is_ok();
        assert_eq!(taken, comes_in_pairs(&text), "{text}");
    }
}

/// Every closing brace ends a name of at least one character, and none opens beside it.
fn comes_in_pairs(text: &str) -> bool {
    let mut name = None;
    for letter in text.chars() {
        name = match (letter, name) {
            ('{', None) => Some(0),
            ('}', None | Some(0)) => return false,
            ('}', Some(_)) => None,
            (_, Some(length)) => Some(length + 1),
            (_, None) => None,
        };
    }
    name.is_none()
}
