//! Signed assertions as they are sent, and the mistakes that are found when built.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use tokio::sync::Semaphore;
use tower::{Service, limit::ConcurrencyLimit};

use super::{configuration::rejected, *};
use crate::{
    BoxError, SecretRef, SigningAlgorithm,
    client_credentials::{
        Assertion, BodyEncoding, ClaimValue, CredentialPlacement, Grant, SigningKey, SigningRequest,
    },
    testing::ClientKey,
};

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::from_pem(ClientKey::generate(algorithm).pem()).unwrap()
}

fn signed(dialect: Dialect, assertion: Assertion) -> ClientCredentialsBuilder {
    let key = key(assertion.algorithm);
    builder(dialect).assertion(assertion).signing_key(key)
}

fn bank() -> Dialect {
    Dialect::new("bank", "https://login.example/token?channel=api")
}

/// The body without its assertion, and the assertion's header and claims.
async fn parts(builder: ClientCredentialsBuilder, field: &str) -> (String, Value, Value) {
    let request = sent(builder).await;
    assert!(request.headers().get("authorization").is_none());
    let length: usize = request.headers()["content-length"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), length);
    let body = String::from_utf8(body.to_vec()).unwrap();
    let (before, jwt) = body.split_once(field).unwrap();
    let jwt = jwt.trim_matches(['=', '"', ':', '}']);
    let part = |index: usize| {
        let part = jwt.split('.').nth(index).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(jwt.split('.').count(), 3);
    (before.to_owned(), part(0), part(1))
}

#[tokio::test]
async fn as_authentication_it_is_beside_the_grant() {
    let assertion = Assertion::client(SigningAlgorithm::Es256);
    let (body, header, claims) = parts(signed(bank(), assertion), "client_assertion=").await;
    assert_eq!(
        body,
        "grant_type=client_credentials&client_id=me&client_assertion_type=\
         urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"
    );
    assert_eq!(header, serde_json::json!({"alg": "ES256", "typ": "JWT"}));
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(jti).unwrap().len(), 16);
    let expected = serde_json::json!({
        "iss": "me", "sub": "me", "aud": "https://login.example/token",
        "jti": jti, "iat": 1_700_000_000, "exp": 1_700_000_060,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn as_the_grant_it_is_alone() {
    let mut assertion = Assertion::grant(SigningAlgorithm::EdDsa);
    assertion.not_before = true;
    assertion.issued_at_skew = Duration::from_secs(10);
    assertion.lifetime = Duration::from_secs(300);
    assertion.typ.clear();
    assertion.kid = Some("k-1".into());
    assertion.claims = [
        ("ver", ClaimValue::from("1.1")),
        ("clientId", "id {client_id}".into()),
        ("number", 7.into()),
        ("list", ClaimValue::List(vec!["a".into()])),
        ("pin", secret("c4n4ry\"pin").into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let (body, header, claims) = parts(signed(bank(), assertion), "assertion=").await;
    assert_eq!(
        body,
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"
    );
    assert_eq!(header, serde_json::json!({"alg": "EdDSA", "kid": "k-1"}));
    for (name, expected) in [
        ("iat", Value::from(1_699_999_990)),
        ("nbf", 1_699_999_990.into()),
        ("exp", 1_700_000_290.into()),
        ("ver", "1.1".into()),
        ("clientId", "id me".into()),
        ("number", 7.into()),
        ("list", vec!["a"].into()),
        ("pin", "c4n4ry\"pin".into()),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
}

#[tokio::test]
async fn in_json_and_with_the_ids_own_field() {
    let mut dialect = bank();
    dialect.body = BodyEncoding::Json;
    dialect.credentials = CredentialPlacement::Body {
        id: "clientId".into(),
        secret: "clientSecret".into(),
    };
    let assertion = Assertion::client(SigningAlgorithm::EdDsa);
    let (body, ..) = parts(signed(dialect.clone(), assertion), "\"client_assertion\"").await;
    assert_eq!(
        body,
        r#"{"grant_type":"client_credentials","clientId":"me","client_assertion_type":"urn:ietf:params:oauth:client-assertion-type:jwt-bearer","#
    );
    dialect.grant = Grant::Absent;
    let assertion = Assertion::grant(SigningAlgorithm::EdDsa);
    let (body, ..) = parts(signed(dialect, assertion), "\"assertion\"").await;
    assert_eq!(body, "{");
}

#[tokio::test]
async fn each_attempt_has_a_new_one() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    let transport = service_fn(move |request: Request<Full<Bytes>>| {
        let into = Arc::clone(&into);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            into.lock().unwrap().push(body);
            Ok::<_, Infallible>(answer(200, r#"{"access_token":"abc"}"#))
        }
    });
    let assertion = Assertion::client(SigningAlgorithm::EdDsa);
    let mut fetcher = signed(bank(), assertion).fetcher(transport).unwrap();
    for _ in 0..3 {
        let attempt = TokenRequest::first(now());
        fetcher.ready().await.unwrap().call(attempt).await.unwrap();
    }
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_signer_that_fails_sends_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(answer(200, "")) }
    });
    let fetcher = builder(bank())
        .assertion(Assertion::client(SigningAlgorithm::EdDsa))
        .signer(service_fn(|_| async { Err::<Vec<u8>, _>("no") }))
        .fetcher(transport)
        .unwrap();
    let error = fetcher
        .oneshot(TokenRequest::first(now()))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the assertion could not be signed");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

/// A KMS behind the connection limit that the token endpoint has, too.
#[tokio::test(start_paused = true)]
async fn a_signer_may_need_the_permit_that_the_transport_needs() {
    let permits = Arc::new(Semaphore::new(1));
    let signer = service_fn(async |_: SigningRequest| {
        tokio::task::yield_now().await;
        Ok::<_, BoxError>(vec![0; 64])
    });
    let signer = ConcurrencyLimit::with_semaphore(signer, Arc::clone(&permits));
    let transport = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(answer(200, r#"{"access_token":"abc"}"#))
    });
    let mut fetcher = builder(bank())
        .assertion(Assertion::client(SigningAlgorithm::EdDsa))
        .signer(signer)
        .fetcher(ConcurrencyLimit::with_semaphore(transport, permits))
        .unwrap();
    for _ in 0..2 {
        let attempt = TokenRequest::first(now());
        let fetched = async { fetcher.ready().await?.call(attempt).await };
        let fetched = tokio::time::timeout(Duration::from_secs(8), fetched).await;
        fetched.expect("nobody holds the permit").unwrap();
    }
}

#[test]
fn what_cannot_work_is_rejected_when_built() {
    type Change = fn(&mut Assertion);
    let changes: [(Change, &str); 12] = [
        (|it| it.lifetime = Duration::ZERO, "assertion.lifetime"),
        (
            |it| it.lifetime = Duration::from_secs(90_000),
            "assertion.lifetime",
        ),
        (
            |it| it.issued_at_skew = it.lifetime,
            "assertion.issued_at_skew",
        ),
        (|it| it.kid = Some(String::new()), "assertion.kid"),
        (|it| it.typ = "JWT\n".into(), "assertion.typ"),
        (
            |it| it.x5t_s256 = Some("ab:cd".into()),
            "assertion.x5t_s256",
        ),
        (|it| it.issuer.clear(), "assertion.issuer"),
        (|it| it.subject = "{client}".into(), "assertion.subject"),
        (
            |it| drop(it.claims.insert("jti".into(), "x".into())),
            "assertion.claims.jti",
        ),
        (
            |it| drop(it.claims.insert("a".into(), "".into())),
            "assertion.claims.a",
        ),
        (
            |it| {
                drop(
                    it.claims
                        .insert("a".into(), SecretRef::Env("TOWER_OAUTH_NONE".into()).into()),
                )
            },
            "env TOWER_OAUTH_NONE",
        ),
        (|it| it.algorithm = SigningAlgorithm::Ps256, "signing_key"),
    ];
    let key = key(SigningAlgorithm::Es256);
    for (change, field) in changes {
        let mut assertion = Assertion::client(SigningAlgorithm::Es256);
        change(&mut assertion);
        let builder = builder(bank())
            .assertion(assertion)
            .signing_key(key.clone());
        let error = rejected(builder);
        assert_eq!(
            (error.source_name(), error.field()),
            (Some("bank"), field),
            "{error}"
        );
    }
    let assertion = || Assertion::client(SigningAlgorithm::Es256);
    assert_eq!(
        rejected(builder(bank()).signing_key(key.clone())).field(),
        "signing_key"
    );
    assert_eq!(
        rejected(builder(bank()).assertion(assertion())).field(),
        "signing_key"
    );
    let both = signed(bank(), assertion()).secret(secret("shh"));
    assert_eq!(rejected(both).field(), "client_secret");
    let twice = signed(bank(), assertion()).token_param("client_assertion", "x");
    assert_eq!(rejected(twice).field(), "body");
    let mut empty = bank();
    empty.body = BodyEncoding::Empty;
    assert_eq!(rejected(signed(empty, assertion())).field(), "assertion");
}

#[test]
fn a_file_is_read_and_written() {
    let text = r#"
        name = "bank"
        token_url = "https://login.example/token"
        [assertion]
        use = "grant"
        algorithm = "EdDSA"
        audience = "issuer"
        lifetime = "5m"
        [assertion.claims]
        realm = "r"
        strict = true
        pin = { env = "PIN" }
    "#;
    let dialect: Dialect = toml::from_str(text).unwrap();
    let again: Dialect = toml::from_str(&toml::to_string(&dialect).unwrap()).unwrap();
    assert_eq!(format!("{dialect:?}"), format!("{again:?}"));
    for wrong in [
        r#"["client"]"#,
        r#"{ use = "client" }"#,
        r#"{ algorithm = "none" }"#,
        r#"{ algorithm = "PS256", alg = "PS256" }"#,
        r#"{ algorithm = "PS256", claims = ["a"] }"#,
        r#"{ algorithm = "PS256", claims = { a = 1.5 } }"#,
    ] {
        let text = format!("name = 'b'\ntoken_url = 'https://l.example/t'\nassertion = {wrong}");
        assert!(toml::from_str::<Dialect>(&text).is_err(), "{wrong}");
    }
}

/// A server that repeats the assertion in every place of a denial.
#[tokio::test]
async fn an_echoed_assertion_is_not_told() {
    let transport = service_fn(async |request: Request<Full<Bytes>>| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let jwt = body.split_once("client_assertion=").unwrap().1;
        let json = serde_json::json!({"error": jwt, "error_description": jwt});
        Ok::<_, Infallible>(answer(401, &json.to_string()))
    });
    let records = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&records);
    let fetcher = signed(bank(), Assertion::client(SigningAlgorithm::Es256))
        .on_attempt(move |record| {
            into.lock()
                .unwrap()
                .push_str(&format!("{record}{record:?}"))
        })
        .fetcher(transport)
        .unwrap();
    let error = fetcher
        .oneshot(TokenRequest::first(now()))
        .await
        .unwrap_err();
    let text = format!("{error} {error:?} {}", records.lock().unwrap());
    assert!(text.contains("[elided]") && !text.contains("eyJ"), "{text}");
}
