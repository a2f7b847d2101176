//! Mistakes in configuration, and the errors that they get: whose, what, where, and nothing that may be a secret.

use super::{
    configuration::{Change, field, rejected},
    *,
};
use crate::{
    FailureClass, Margin, TokenHeaders,
    client_credentials::{CredentialPlacement, FailureRow, Grant},
};

/// What depends on the dialect alone is found before a client is known.
#[test]
fn a_dialect_that_no_client_can_use_does_not_pass() {
    let scope = |it: &mut Dialect| (it.scope.required, it.scope.most) = (true, Some(0));
    assert_eq!(field(scope), "scope");

    let header = |name: &str, template: &str| {
        let headers = TokenHeaders::none()
            .with(name.to_owned(), template)
            .unwrap();
        field(|it| it.headers = headers)
    };
    for template in ["no token", "{client_id}", "{token} ü", "{token} {jwt}"] {
        assert_eq!(header("x-token", template), "headers", "{template}");
    }

    for literal in ["", "ü", "a\r\nb", "a\u{200b}b"] {
        let set = |it: &mut Dialect| drop(it.token_headers.insert("x-key".into(), literal.into()));
        assert_eq!(field(set), "token_headers.x-key", "{literal:?}");
    }
    for literal in ["", "a\u{200b}b"] {
        let set = |it: &mut Dialect| drop(it.token_params.insert("key".into(), literal.into()));
        assert_eq!(field(set), "token_params.key", "{literal:?}");
    }
    let proxy = |it: &mut Dialect| {
        drop(
            it.token_headers
                .insert("Proxy-Authorization".into(), "x".into()),
        )
    };
    assert_eq!(field(proxy), "token_headers.Proxy-Authorization");
}

#[test]
fn a_placeholder_that_nothing_fills_is_named() {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.response.extras = vec!["jwt".into()];
    dialect.headers = TokenHeaders::none()
        .with("Authorization", "Bearer c4n4ry {tok}")
        .unwrap();
    assert_eq!(
        dialect.check().unwrap_err().to_string(),
        "bank: invalid `headers` \"{tok}\": no token brings this; write `{token}`, `{client_id}`, `{jwt}`, or name it \
         in `response.extras` or `header_values`"
    );
}

#[test]
fn a_name_that_forges_a_line_is_rejected() {
    const FORGED: &str = "x\u{1b}[2J";
    fn reference() -> crate::SecretRef {
        crate::SecretRef::Env(FORGED.into())
    }
    let changes: [(&str, Change); 15] = [
        ("name", |it| it.name = FORGED.into()),
        ("name", |it| it.name = "bank\u{202e}".into()),
        ("token_url", |it| it.token_url.push('\u{200b}')),
        ("body", |it| {
            it.credentials = CredentialPlacement::IdOnly { id: FORGED.into() };
        }),
        ("body", |it| {
            it.grant = Grant::Field {
                name: FORGED.into(),
                value: "x".into(),
            };
        }),
        ("grant", |it| {
            it.grant = Grant::Field {
                name: "x".into(),
                value: FORGED.into(),
            };
        }),
        ("failures", |it| {
            it.failures = vec![FailureRow {
                status: 400,
                error: Some(FORGED.into()),
                class: FailureClass::Transient,
                attempts: None,
            }];
        }),
        ("body", |it| it.scope.field = FORGED.into()),
        ("body", |it| {
            it.token_params.insert(FORGED.into(), "x".into());
        }),
        ("env", |it| {
            it.token_params.insert("x".into(), reference().into());
        }),
        ("env", |it| {
            it.token_headers.insert("x".into(), reference().into());
        }),
        ("file", |it| {
            let file = crate::SecretRef::File("/run/\n".into());
            it.token_headers.insert("x".into(), file.into());
        }),
        ("response", |it| it.response.token = FORGED.into()),
        ("response", |it| it.response.expiry = FORGED.into()),
        ("response", |it| it.response.extras = vec![FORGED.into()]),
    ];
    for (named, change) in changes {
        assert_eq!(field(change), named);
    }
    let set = |it: &mut Dialect| drop(it.token_headers.insert(FORGED.into(), "x".into()));
    assert_eq!(field(set), format!("token_headers.{FORGED}"));
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    set(&mut dialect);
    let error = dialect.check().unwrap_err().to_string();
    assert_eq!(crate::text::hidden(&error), None, "{error}");
}

#[test]
fn headers_of_the_connection_are_the_clients() {
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "connection",
        "Keep-Alive",
        "proxy-connection",
        "TE",
        "trailer",
        "upgrade",
    ] {
        let set = |it: &mut Dialect| drop(it.token_headers.insert(name.into(), "x".into()));
        assert_eq!(field(set), format!("token_headers.{name}"));
        let error = TokenHeaders::bearer().with(name, "x").unwrap_err();
        assert_eq!(error.field(), "headers", "{name}");
        let text = format!(
            "name = \"bank\"\ntoken_url = \"https://x.example\"\n[headers]\n{name} = \"{{token}}\""
        );
        let error = toml::from_str::<Dialect>(&text).unwrap_err();
        assert!(error.to_string().contains("HTTP client"), "{error}");
    }
}

#[test]
fn what_a_raw_id_cannot_hold_has_a_way_out() {
    let mut raw = Dialect::new("bank", "https://login.example/token");
    raw.credentials = CredentialPlacement::BasicRaw;
    let error = rejected(ClientCredentialsBuilder::new(raw, id("a:b")).secret(secret("shh")));
    for way in ["`credentials = \"basic_encoded\"`", "`\"body\"`"] {
        assert!(error.to_string().contains(way), "{error}");
    }
}

#[test]
fn an_error_says_whose_setting_it_is_and_what_was_given() {
    assert_eq!(
        rejected(plain().token_url("http://login.example/token?key=c4n4ry")).to_string(),
        "plain: invalid `token_url` \"http://login.example/token?[elided]\": must be https or loopback (see \
         `danger_allow_http`)"
    );
    assert_eq!(
        rejected(plain().origin("https://me:c4n4ry@api.example/path")).to_string(),
        "plain: invalid `origin` \"https://[elided]@api.example/path\": must hold no path and no query: an origin is \
         scheme, host and port"
    );
    assert_eq!(
        rejected(plain().scopes(["good", "a b"])).to_string(),
        "plain: invalid `scopes` \"a b\": each must be visible ASCII without space, quote or backslash (RFC 6749 §3.3)"
    );
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.refresh_margin = Some(Margin::Fraction(0.6));
    assert_eq!(
        dialect.check().unwrap_err().to_string(),
        "bank: invalid `refresh_margin` 0.6: must be above 0 and at most 0.5 of the lifetime"
    );
    // Also what is found at the very end, by the source.
    let transport =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(answer(200, "")) });
    let error = plain().policy(|policy| policy.retry.attempts = 0);
    let error = error.build(transport).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plain: invalid `retry.attempts` 0: must be at least 1"
    );
    // And what is read only then.
    let place = crate::SecretRef::Env("TOWER_OAUTH_TEST_UNSET".into());
    assert_eq!(
        rejected(plain().token_param("key", place)).to_string(),
        "plain: invalid `env TOWER_OAUTH_TEST_UNSET`: is not set"
    );
}

#[test]
fn a_secret_with_an_invisible_character_is_named_by_its_place() {
    let with = |secret: &str| ClientSecret::new(secret);
    for (builder, field) in [
        (plain().secret(with("c4n4ry\u{200b}s")), "client_secret"),
        (
            plain().token_param("key", with("c4n4ry\u{200b}s")),
            "token_params.key",
        ),
        (
            plain().token_header("x-key", with("c4n4ry\u{200b}s")),
            "token_headers.x-key",
        ),
    ] {
        let error = rejected(builder);
        assert_eq!(error.field(), field);
        assert_eq!(error.rule(), "holds U+200B at character 7; remove it");
        assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
    }
}

#[test]
fn no_debug_shows_the_token_urls_query() {
    for url in [
        "https://login.example/token?key=c4n4ry",
        "https://me:c4n4ry@login.example/token",
    ] {
        let dialect = Dialect::new("bank", url);
        let builder = builder(dialect.clone()).token_url(url).origin(url);
        let shown = format!("{dialect:?} {dialect:#?} {builder:?} {builder:#?}");
        assert!(shown.contains("login.example"), "{shown}");
        assert!(!shown.contains("c4n4ry"), "{shown}");
    }
    let builder = plain().token_url("https://login.example/token?key=c4n4ry");
    let transport =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(answer(200, "")) });
    let fetcher = builder.fetcher(transport).unwrap();
    assert!(!format!("{fetcher:?}").contains("c4n4ry"), "{fetcher:?}");
}
