//! No `Debug`, `Display`, chain of causes or panic shows a secret or a token.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::Debug,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use crate::support::{
    Answer, Api, Endpoint, get,
    layered::{plain, reject, send},
    logs::Logs,
    secs,
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use rustls::{
    RootCertStore,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_oauth::{
    BackOff, BoxError, ClientId, ClientSecret, Clock, FetchCause, FetchError, FromExtension,
    Health, Margin, OAuthLayer, OAuthMiddleware, Origin, Policy, RejectionRule, ResendableBody,
    ResendableBodyLayer, Secret, SecretRef, Sharing, Token, TokenHeaders, TokenRequest,
    TokenSource,
    client_credentials::{Assertion, ClientCredentialsBuilder, CredentialPlacement, Dialect},
    identity::{Identity, RenewingClient},
    testing::Authority,
};

/// Part of every secret in this file.
const CANARY: &str = "canary";

fn token() -> Token {
    let token = Token::new("canary-token").with_extra("jwt_token", "canary-extra");
    token.with_lifetime(secs(3600))
}

fn headers() -> TokenHeaders {
    TokenHeaders::bearer()
        .with("jwt_token", "{jwt_token}")
        .unwrap()
}

async fn source_with_a_token() -> (Endpoint, TokenSource) {
    let endpoint = Endpoint::new();
    endpoint.then(Answer::Token(token()));
    let source = endpoint.builder().headers(headers()).build().unwrap();
    source.ready().await.unwrap();
    (endpoint, source)
}

/// A type's name and how a value of it prints, both ways.
fn shown(value: &(impl Debug + ?Sized)) -> (&'static str, String) {
    let name = std::any::type_name_of_val(value);
    let name = name.split('<').next().unwrap_or(name);
    let name = name.rsplit("::").next().unwrap_or(name);
    (name, format!("{value:?} {value:#?}"))
}

fn assertion() -> Assertion {
    let mut assertion = Assertion::client(tower_oauth::SigningAlgorithm::Ps256);
    let pin = ClientSecret::new("canary-pin").into();
    assertion.claims.insert("pin".into(), pin);
    assertion
}

/// A value of each public type, holding whatever secret such a value can hold.
async fn every_public_type() -> Vec<(&'static str, String)> {
    let (endpoint, source) = source_with_a_token().await;
    let issued = source.token().await.unwrap();
    let status = source.status();
    let layer = OAuthLayer::new(source.clone()).retry_rejected();
    let mut service = layer.layer(Api::ok().service());
    let call = service.call(get("/"));
    let bad_secret = ClientId::new("canary-id\n").unwrap_err();
    let denied = FetchError::permanent("no");
    endpoint.then(Answer::Token(Token::new("canary\r\ntoken")));
    let failing = endpoint.source();
    let error = failing.token().await.unwrap_err();
    let endpoint_status = failing.status();
    let health = Health::of([&failing]);
    let policy = Policy::default();
    let token_endpoint = tower_oauth::TokenEndpoint::builder("bank").build().unwrap();
    vec![
        shown(&BackOff::new(secs(1), secs(2))),
        shown(&source.changes()),
        shown(&ClientId::new("id").unwrap()),
        shown(&ClientSecret::new("canary-secret")),
        shown(&Clock::tokio()),
        shown(&bad_secret),
        shown(&bad_secret.kind()),
        shown(&identity().certificate()),
        shown(&status.counters),
        shown(&denied.class()),
        shown(&denied.kind()),
        shown(&error.kind()),
        shown(&endpoint_status.last_failure.unwrap()),
        shown(&health),
        shown(&health.sources[0]),
        shown(&health.sources[0].issues[0]),
        shown(&health.sources[0].issues[0].kind),
        shown(&FetchCause::Ahead),
        shown(&denied),
        shown(&issued.generation()),
        shown(&issued),
        shown(&Margin::Fraction(0.1)),
        shown(&OAuthLayer::new(source.clone())),
        shown(&FromExtension::default()),
        shown(&OAuthMiddleware::new(source.clone())),
        shown(&service),
        shown(&ResendableBody::new(String::from("canary"), 64)),
        shown(&ResendableBodyLayer::new()),
        shown(&ResendableBodyLayer::new().layer("a service")),
        shown(&error),
        shown(&"https://api.example".parse::<Origin>().unwrap()),
        shown(&policy),
        shown(&policy.timeouts),
        shown(&policy.retry),
        shown(&policy.back_off),
        shown(&policy.refresh),
        shown(&policy.lifetime),
        shown(&policy.rejection),
        shown(&tower_oauth::Rejection::Definite),
        shown(&RejectionRule::default()),
        shown(&call),
        shown(&Secret::from(ClientSecret::new("canary-secret"))),
        shown(&Secret::from_fn(async || {
            Ok::<_, BoxError>(ClientSecret::new("canary-secret"))
        })),
        shown(&SecretRef::Env("VARIABLE".into())),
        shown(&tower_oauth::SigningAlgorithm::Ps256),
        shown(&assertion()),
        shown(&status.state),
        shown(&status),
        shown(&token()),
        shown(&headers()),
        shown(&TokenRequest::first(Clock::tokio().wall()).with_previous(token())),
        shown(&token().obtained_from()),
        shown(&Sharing::default()),
        shown(&Sharing::default().status()),
        shown(&tower_oauth::TokenEndpoint::builder("bank")),
        shown(&token_endpoint),
        shown(&token_endpoint.status()),
        shown(&source),
        shown(&endpoint.builder().headers(headers())),
    ]
}

fn identity() -> Identity {
    let pair = Authority::new().unwrap().client("me").unwrap();
    let pem = [pair.certificate_pem(), pair.key_pem()].concat();
    Identity::pem(pem)
        .password("canary-password")
        .build()
        .unwrap()
}

/// Of an identity and all that is made of it.
#[test]
fn nothing_of_a_clients_key_or_password_is_shown() {
    let pair = Authority::new().unwrap().client("me").unwrap();
    let pem = [pair.certificate_pem(), pair.key_pem()].concat();
    let builder = Identity::pem(pem).password("canary-password");
    let builder_text = shown(&builder).1;
    let identity = builder.build().unwrap();
    let dialect = Dialect::new("bank", "https://login.example/token");
    let client = RenewingClient::new(&identity, |identity| Ok(identity.clone())).unwrap();
    let config = identity.client_config(RootCertStore::empty());
    let texts = [
        builder_text,
        shown(&identity).1,
        shown(&client).1,
        shown(&identity.resolver()).1,
        shown(&config).1,
        shown(&identity.reqwest_identity().unwrap()).1,
        shown(
            &ClientCredentialsBuilder::new(dialect, ClientId::new("id").unwrap())
                .identity(identity),
        )
        .1,
        shown(&pair).1,
    ];
    let key = pair
        .key_pem()
        .lines()
        .filter(|line| !line.starts_with("-----"));
    let der = PrivateKeyDer::from_pem_slice(pair.key_pem().as_bytes()).unwrap();
    let numbers = format!("{:?}", &der.secret_der()[40..60]);
    let canaries: Vec<_> = key
        .chain([CANARY, numbers.trim_matches(['[', ']'])])
        .collect();
    for text in texts {
        for canary in &canaries {
            assert!(!text.contains(canary), "{text}");
        }
    }
}

/// What `lib.rs` exports at its root, by name.
fn exported_types() -> BTreeSet<String> {
    let root = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let exports = root
        .split("pub use ")
        .skip(1)
        .filter_map(|it| it.split(';').next());
    let names = exports.flat_map(|it| it.split(|c: char| !c.is_alphanumeric()));
    let types = names.filter(|it| it.starts_with(char::is_uppercase));
    types.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn the_debug_of_no_public_type_shows_a_secret() {
    let walked = every_public_type().await;
    for (name, text) in &walked {
        assert!(!text.contains(CANARY), "{name}: {text}");
    }
    let mut missed = exported_types();
    for (name, _) in &walked {
        missed.remove(*name);
    }
    // An alias of a box, three traits, and the layer's two modes, which hold nothing and are printed with it.
    for known in [
        "BoxError",
        "InnerService",
        "PickSource",
        "RetryMode",
        "NoRetry",
        "RetryRejected",
    ] {
        missed.remove(known);
    }
    assert!(
        missed.is_empty(),
        "add a value to `every_public_type`: {missed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_status_serializes_without_a_secret() {
    let (_endpoint, source) = source_with_a_token().await;
    let text = serde_json::to_string(&source.status()).unwrap();
    assert!(text.contains("fresh") && !text.contains(CANARY), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_error_and_all_its_causes_quote_no_token() {
    for bad in ["canary\r\n", "canary-ü", "canary\0"] {
        let endpoint = Endpoint::new();
        endpoint.then(Answer::Token(Token::new(bad).with_lifetime(secs(3600))));
        let source = endpoint.source();
        let error = reject(&plain(&source, &Api::ok()), get("/")).await;
        let mut link: Option<&dyn Error> = Some(&error);
        while let Some(cause) = link {
            let text = format!("{cause} {cause:?}");
            assert!(!text.contains(CANARY), "{text}");
            link = cause.source();
        }
        let status = serde_json::to_string(&source.status()).unwrap();
        assert!(!status.contains(CANARY), "{status}");
    }
}

/// What `unwrap` and its like print of a result that they did not want.
fn panic_message(panics: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    *payload.downcast::<String>().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_a_result_quotes_no_token() {
    let (endpoint, source) = source_with_a_token().await;
    let issued = source.token().await;
    let message = panic_message(|| drop(issued.expect_err("no token")));
    assert!(message.contains("IssuedToken"), "{message}");
    assert!(!message.contains(CANARY), "{message}");

    endpoint.then(Answer::Token(Token::new("canary\r\n")));
    let rejected = endpoint.source().token().await;
    let message = panic_message(|| drop(rejected.expect("a token")));
    assert!(message.contains("line break"), "{message}");
    assert!(!message.contains(CANARY), "{message}");
}

/// Only the panic hook prints its message.
#[tokio::test]
async fn what_a_fetcher_panics_with_is_not_repeated() {
    let fetcher = service_fn(async |_: TokenRequest| -> Result<Token, BoxError> {
        panic!("canary-panic");
    });
    let source = TokenSource::builder(fetcher).build().unwrap();
    let error = source.token().await.unwrap_err();
    let text = format!("{error} {error:?} {:?}", source.status());
    assert!(
        text.contains("panicked") && !text.contains(CANARY),
        "{text}"
    );
    assert!(error.source().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_prints_its_token_headers_as_sensitive() {
    let (_endpoint, source) = source_with_a_token().await;
    let api = Api::ok();
    send(&plain(&source, &api), get("/")).await;
    let arrived: Request<String> = api.requests().remove(0);
    assert_eq!(arrived.headers()["authorization"], "Bearer canary-token");
    assert_eq!(arrived.headers()["jwt_token"], "canary-extra");
    let text = format!("{arrived:?}");
    assert!(
        text.contains("Sensitive") && !text.contains(CANARY),
        "{text}"
    );
}

#[test]
fn a_dialect_is_not_written_with_a_secret_claim() {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.assertion = Some(assertion());
    let written = toml::to_string(&dialect).map_err(|error| format!("{error} {error:?}"));
    let text = written.unwrap_or_else(|error| error);
    assert!(!text.contains(CANARY), "{text}");
}

#[test]
fn configuration_refers_to_a_secret_and_never_holds_one() {
    let text = r#"{"env":"BANK_API_KEY"}"#;
    let reference: SecretRef = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&reference).unwrap(), text);
    assert!(serde_json::from_str::<SecretRef>(r#""canary""#).is_err());
    assert!(serde_json::from_str::<SecretRef>(r#"{"literal":"canary"}"#).is_err());
}

/// Against an answer that repeats all that it was sent, and more.
#[tokio::test]
async fn a_record_of_an_attempt_shows_no_secret() {
    let records = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&records);
    let transport = service_fn(async |request: Request<Full<Bytes>>| {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = serde_json::json!({
            "access_token": "canary-token",
            "error": "canary-secret",
            "error_description": String::from_utf8_lossy(&body),
            "x": ["canary-token", {"canary-token": "canary-secret"}],
        });
        let mut answer = http::Response::new(Full::<Bytes>::from(answer.to_string()));
        *answer.headers_mut() = head.headers;
        Ok::<_, BoxError>(answer)
    });
    let dialect = Dialect::new("bank", "https://login.example/token?key=canary");
    let fetcher = ClientCredentialsBuilder::new(dialect, ClientId::new("id").unwrap())
        .secret(ClientSecret::new("canary-secret"))
        .token_param("pin", ClientSecret::new("canary-pin"))
        .on_attempt(move |record| {
            let text = format!("{record} {record:?} {record:#?}");
            into.lock().unwrap().push(text);
        })
        .fetcher(transport)
        .unwrap();
    let request = TokenRequest::first(Clock::tokio().wall());
    assert!(fetcher.oneshot(request).await.is_err());
    let records = records.lock().unwrap();
    assert_eq!(records.len(), 1);
    assert!(!records[0].contains(CANARY), "{}", records[0]);
}

/// From the file to the request and back, while it changes, breaks and is denied.
#[tokio::test(start_paused = true)]
async fn a_secret_that_changes_is_never_shown() {
    let (logs, _listening) = Logs::listen();
    let path = std::env::temp_dir().join(format!("tower-oauth-{}-shown", std::process::id()));
    fs::write(&path, "canary-1").unwrap();
    let transport = service_fn(async |request: Request<Full<Bytes>>| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let repeated = String::from_utf8_lossy(&body).into_owned();
        let answer = serde_json::json!({
            "error": "invalid_client",
            "error_description": format!("{repeated} canary-1 canary-2"),
        });
        let mut answer = http::Response::new(Full::<Bytes>::from(answer.to_string()));
        *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
        Ok::<_, BoxError>(answer)
    });
    let told = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&told);
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.credentials = CredentialPlacement::Body {
        id: "client_id".into(),
        secret: "client_secret".into(),
    };
    let builder = ClientCredentialsBuilder::new(dialect, ClientId::new("id").unwrap())
        .secret(Secret::from_file(&path))
        .clock(Clock::tokio())
        .on_attempt(move |record| *into.lock().unwrap() += &format!("{record} {record:?}"));
    let shown = format!("{builder:?}");
    told.lock().unwrap().push_str(&shown);
    let source = builder.build(transport).unwrap();
    // The first answer may tell the second secret, which nobody knows then.
    let _ = source.token().await;
    told.lock().unwrap().clear();
    let before = logs.lines().len();
    for secret in ["canary-2", "canary-1\u{200b}", "", "canary-2"] {
        fs::write(&path, secret).unwrap();
        source.retry_now();
        let error = source.token().await.unwrap_err();
        let text = format!("{error} {error:?} {:?}", source.status());
        told.lock().unwrap().push_str(&text);
    }
    fs::remove_file(&path).unwrap();
    let told = told.lock().unwrap().clone();
    assert!(
        told.contains("invalid_client") && !told.contains(CANARY),
        "{told}"
    );
    let logged = logs.lines().split_off(before).join("\n");
    assert!(
        logged.contains("WARN") && !logged.contains(CANARY),
        "{logged}"
    );
}
