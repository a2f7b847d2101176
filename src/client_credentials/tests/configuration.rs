//! What cannot work is rejected when it is built, with the field and the rule.

use super::*;
use crate::{
    ConfigError, FailureClass, Margin,
    client_credentials::{
        BodyEncoding, CredentialPlacement, ExpiryFormat, FailureRow, Grant, ScopeFormat,
        SecretLength,
    },
};

pub(super) fn rejected(builder: ClientCredentialsBuilder) -> ConfigError {
    let transport =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(answer(200, "")) });
    builder.fetcher(transport).unwrap_err()
}

pub(super) type Change = fn(&mut Dialect);

/// The field that is complained of when the minimal dialect is changed so.
pub(super) fn field(change: impl FnOnce(&mut Dialect)) -> String {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    change(&mut dialect);
    dialect.check().unwrap_err().field().to_owned()
}

#[test]
fn the_minimal_dialect_is_good() {
    assert!(
        Dialect::new("bank", "https://login.example/token")
            .check()
            .is_ok()
    );
}

#[test]
fn names_and_urls() {
    assert_eq!(field(|it| it.name.clear()), "name");
    for url in [
        "",
        "/token",
        "login.example/token",
        "ftp://login.example/token",
        "https://user:password@login.example/token",
        "http://login.example/token",
        "http://localhost.example/token",
        "https://",
        "https://login.example?tenant=1",
        "https://login.example*",
        "https://127.1/token",
        "http://2130706433/token",
        "http://0x7f.1/token",
        "http://[::ffff:127.0.0.1]/token",
        "https://[localhost]/token",
    ] {
        assert_eq!(field(|it| it.token_url = url.into()), "token_url", "{url}");
    }
    let plain = |it: &mut Dialect| it.origins = vec!["http://api.example".parse().unwrap()];
    assert_eq!(field(plain), "origins");
}

#[test]
fn plain_http_is_for_loopback_or_must_be_let_in() {
    let check = |url: &str, allowed: &[&str]| {
        let mut dialect = Dialect::new("bank", url);
        dialect.danger_allow_http = allowed.iter().map(|it| it.parse().unwrap()).collect();
        dialect.check()
    };
    assert!(check("http://127.0.0.1:9200/token", &[]).is_ok());
    assert!(check("http://[::1]/token", &[]).is_ok());
    assert!(check("http://mesh.internal/token", &["http://mesh.internal"]).is_ok());
    assert!(check("http://mesh.internal:81/token", &["http://mesh.internal"]).is_err());
}

#[test]
fn an_empty_body_carries_nothing() {
    let empty = |it: &mut Dialect| {
        it.body = BodyEncoding::Empty;
        it.grant = Grant::Absent;
    };
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    empty(&mut dialect);
    assert!(dialect.check().is_ok());

    assert_eq!(field(|it| it.body = BodyEncoding::Empty), "grant");
    let changes: [(Change, &str); 3] = [
        (
            |it| it.credentials = CredentialPlacement::IdOnly { id: "id".into() },
            "credentials",
        ),
        (
            |it| drop(it.token_params.insert("a".into(), "b".into())),
            "token_params",
        ),
        (|it| it.scope.required = true, "scope.required"),
    ];
    for (change, expected) in changes {
        let named = field(|it| {
            empty(it);
            change(it);
        });
        assert_eq!(named, expected);
    }
    assert_eq!(rejected(builder(dialect).scopes(["a"])).field(), "scopes");
}

#[test]
fn contradictions_in_the_body() {
    let array = |it: &mut Dialect| it.scope.format = ScopeFormat::JsonArray;
    assert_eq!(field(array), "scope.format");
    for name in ["grant_type", "scope", ""] {
        let twice = |it: &mut Dialect| drop(it.token_params.insert(name.into(), "x".into()));
        assert_eq!(field(twice), "body", "{name}");
    }
    let one_name = |it: &mut Dialect| {
        it.credentials = CredentialPlacement::Body {
            id: "client".into(),
            secret: "client".into(),
        }
    };
    assert_eq!(field(one_name), "body");
}

#[test]
fn headers_that_the_request_sets_itself() {
    for name in [
        "Content-Type",
        "accept",
        "Host",
        "Authorization",
        "bad name",
    ] {
        let set = |it: &mut Dialect| drop(it.token_headers.insert(name.into(), "x".into()));
        assert_eq!(field(set), format!("token_headers.{name}"));
    }
    let twice = |it: &mut Dialect| {
        it.token_headers.insert("X-Key".into(), "x".into());
        it.token_headers.insert("x-key".into(), "x".into());
    };
    assert_eq!(field(twice), "token_headers.x-key");
}

#[test]
fn header_values_are_one_visible_line() {
    for value in ["a\r\nb", "ü", ""] {
        let error = rejected(plain().token_header("x-key", secret(value)));
        assert_eq!(error.field(), "token_headers.x-key", "{value:?}");
        assert!(value.is_empty() || !error.to_string().contains(value));
    }
}

#[test]
fn answers_and_api_headers_fit_together() {
    assert_eq!(field(|it| it.response.token.clear()), "response");
    assert_eq!(
        field(|it| it.response.expiry = "access_token".into()),
        "response"
    );
    assert_eq!(
        field(|it| it.response.error_description = "error".into()),
        "response"
    );
    assert_eq!(field(|it| it.response.error.clear()), "response");
    let far = |it: &mut Dialect| {
        it.response.expiry_format = ExpiryFormat::LocalTime {
            utc_offset_minutes: i16::MIN,
        }
    };
    assert_eq!(field(far), "response.expiry_format");

    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.headers = dialect.headers.with("jwt", "{jwt_token}").unwrap();
    assert_eq!(rejected(builder(dialect.clone())).field(), "headers");
    dialect.response.extras = vec!["jwt_token".into()];
    dialect.headers = dialect.headers.with("client_id", "{client_id}").unwrap();
    let strange = ClientCredentialsBuilder::new(dialect, id("ü")).secret(secret("shh"));
    assert_eq!(rejected(strange).field(), "headers");
}

#[test]
fn numbers_that_cannot_be() {
    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }
    let changes: [(Change, &str); 12] = [
        (|it| it.default_lifetime = seconds(0), "default_lifetime"),
        (|it| it.max_lifetime = seconds(0), "max_lifetime"),
        (|it| it.wait_after_429 = seconds(0), "wait_after_429"),
        (
            |it| (it.default_lifetime, it.max_lifetime) = (seconds(2), seconds(1)),
            "default_lifetime",
        ),
        (
            |it| it.refresh_margin = Some(Margin::Fraction(0.6)),
            "refresh_margin",
        ),
        (
            |it| {
                it.default_lifetime = seconds(300);
                it.refresh_margin = Some(Margin::Fixed(Duration::from_secs(151)));
            },
            "refresh_margin",
        ),
        (
            |it| {
                it.single_active = true;
                it.refresh_margin = Some(Margin::Fraction(0.1));
            },
            "refresh_margin",
        ),
        (
            |it| it.secret_length = Some(SecretLength { min: 2, max: 1 }),
            "secret_length",
        ),
        (
            |it| it.secret_length = Some(SecretLength { min: 0, max: 0 }),
            "secret_length",
        ),
        (
            |it| {
                it.credentials = CredentialPlacement::IdOnly { id: "id".into() };
                it.secret_length = Some(SecretLength { min: 1, max: 2 });
            },
            "secret_length",
        ),
        (|it| it.wait_after_429 = seconds(86_401), "wait_after_429"),
        (|it| it.max_lifetime = seconds(367 * 86_400), "max_lifetime"),
    ];
    for (change, expected) in changes {
        assert_eq!(field(change), expected);
    }
}

#[test]
fn statuses_that_cannot_be() {
    assert_eq!(field(|it| it.rejection.definite = vec![200]), "rejection");
    assert_eq!(field(|it| it.rejection.ambiguous = vec![600]), "rejection");
    assert_eq!(field(|it| it.rejection.ambiguous = vec![401]), "rejection");
    let row = |status| FailureRow {
        status,
        error: None,
        class: FailureClass::Transient,
        attempts: None,
    };
    assert_eq!(field(|it| it.failures = vec![row(99)]), "failures");
    assert_eq!(
        field(|it| it.failures = vec![row(400), row(400)]),
        "failures"
    );
}

#[test]
fn credentials() {
    let mut raw = Dialect::new("bank", "https://login.example/token");
    raw.credentials = CredentialPlacement::BasicRaw;
    let colon = ClientCredentialsBuilder::new(raw, id("a:b")).secret(secret("shh"));
    assert_eq!(rejected(colon).field(), "client_id");

    let encoded = Dialect::new("bank", "https://login.example/token");
    let none = ClientCredentialsBuilder::new(encoded, id("a:b"));
    assert_eq!(
        rejected(none.clone()).to_string(),
        "bank: invalid `client_secret`: must be given"
    );
    assert_eq!(
        rejected(none.secret(secret("a\n"))).field(),
        "client_secret"
    );

    let mut certificate = Dialect::new("bank", "https://login.example/token");
    certificate.credentials = CredentialPlacement::IdOnly { id: "id".into() };
    assert_eq!(rejected(builder(certificate)).field(), "client_secret");
}

#[test]
fn scopes() {
    for scope in ["", "a b", "a\"", "a\\", "ü"] {
        assert_eq!(
            rejected(plain().scopes([scope])).field(),
            "scopes",
            "{scope}"
        );
    }
    let mut without = Dialect::new("bank", "https://login.example/token");
    without.scope.most = Some(0);
    let error = rejected(
        builder(without)
            .secret(ClientSecret::new("shh"))
            .scopes(["read"]),
    );
    assert_eq!(error.field(), "scopes");
    assert!(error.to_string().contains("takes none"), "{error}");
}

#[test]
fn origins_are_parsed_in_the_end() {
    assert_eq!(
        rejected(plain().origin("https://api.example/path")).field(),
        "origin"
    );
    assert_eq!(
        rejected(plain().origin("http://api.example")).field(),
        "origins"
    );
    let mesh = plain()
        .origin("http://api.example")
        .danger_allow_http("http://api.example");
    let transport =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(answer(200, "")) });
    assert!(mesh.fetcher(transport).is_ok());
}

#[test]
fn a_missing_secret_variable_is_named() {
    let place = crate::SecretRef::Env("TOWER_OAUTH_TEST_UNSET".into());
    let error = rejected(plain().token_header("x-key", place));
    assert_eq!(error.field(), "env TOWER_OAUTH_TEST_UNSET");
}
