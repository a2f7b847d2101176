//! The exact bytes of token requests.

use http::header::AUTHORIZATION;

use super::*;
use crate::client_credentials::{BodyEncoding, CredentialPlacement, Grant, ScopeFormat};

#[tokio::test]
async fn by_default_a_request_is_as_rfc_6749_has_it() {
    let request = sent(plain().scopes(["read"]).scopes(["write"])).await;
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
    assert_eq!(
        written(request).await,
        "POST https://login.example/token\n\
         accept: application/json\n\
         authorization: Basic bWU6YzRuNHJ5JTJCcyUyRmNyZXQ=\n\
         content-length: 48\n\
         content-type: application/x-www-form-urlencoded\n\
         \n\
         grant_type=client_credentials&scope=read%20write"
    );
}

#[tokio::test]
async fn a_form_escapes_what_a_form_must() {
    let dialect = Dialect {
        credentials: CredentialPlacement::Body {
            id: "client id".into(),
            secret: "client_secret".into(),
        },
        grant: Grant::Absent,
        ..Dialect::new("form", "https://login.example/token?x=1")
    };
    let builder = ClientCredentialsBuilder::new(dialect, id("a:%+ ü&"))
        .secret(secret("=b"))
        .token_param("audience", "p&q");
    assert_eq!(
        written(sent(builder).await).await,
        "POST https://login.example/token?x=1\n\
         accept: application/json\n\
         content-length: 68\n\
         content-type: application/x-www-form-urlencoded\n\
         \n\
         client%20id=a%3A%25%2B%20%C3%BC%26&client_secret=%3Db&audience=p%26q"
    );
}

#[tokio::test]
async fn a_json_body_may_hold_scopes_as_an_array() {
    let mut dialect = Dialect {
        credentials: CredentialPlacement::Body {
            id: "clientId".into(),
            secret: "clientSecret".into(),
        },
        body: BodyEncoding::Json,
        grant: Grant::Field {
            name: "grantType".into(),
            value: "client_credentials".into(),
        },
        ..Dialect::new("json", "https://login.example/token")
    };
    dialect.scope.format = ScopeFormat::JsonArray;
    let builder = builder(dialect)
        .secret(secret("\"\\ü\u{1f4a9}"))
        .scopes(["a", "b"]);
    assert!(written(sent(builder).await).await.ends_with(
        "{\"grantType\":\"client_credentials\",\"clientId\":\"me\",\
             \"clientSecret\":\"\\\"\\\\ü\u{1f4a9}\",\"scope\":[\"a\",\"b\"]}"
    ));
}

#[tokio::test]
async fn an_empty_body_has_a_length_and_no_type() {
    let dialect = Dialect {
        credentials: CredentialPlacement::BasicRaw,
        body: BodyEncoding::Empty,
        grant: Grant::Absent,
        ..Dialect::new("empty", "https://login.example/token")
    };
    assert_eq!(
        written(sent(builder(dialect)).await).await,
        "POST https://login.example/token\n\
         accept: application/json\n\
         authorization: Basic bWU6YzRuNHJ5K3MvY3JldA==\n\
         content-length: 0\n\
         \n"
    );
}

#[tokio::test]
async fn extra_headers_are_sent_and_secret_ones_are_sensitive() {
    let builder = plain()
        .user_agent("my-app/1.0")
        .token_header("x-api-key", "replaced")
        .token_header("X-Api-Key", secret("k3y"))
        .token_header("x-partner", "us");
    let request = sent(builder).await;
    let headers = request.headers();
    assert_eq!(headers["user-agent"], "my-app/1.0");
    assert_eq!(headers["x-partner"], "us");
    assert!(!headers["x-partner"].is_sensitive());
    assert_eq!(headers["x-api-key"], "k3y");
    assert!(headers["x-api-key"].is_sensitive());
}

#[tokio::test]
async fn a_secret_parameter_is_read_from_its_file() {
    let path = std::env::temp_dir().join(format!("tower-oauth-{}", std::process::id()));
    std::fs::write(&path, "k3y\n").unwrap();
    let builder = plain().token_param("key", crate::SecretRef::File(path.clone()));
    let text = written(sent(builder).await).await;
    std::fs::remove_file(path).unwrap();
    assert!(
        text.ends_with("grant_type=client_credentials&key=k3y"),
        "{text}"
    );
}

#[tokio::test]
async fn every_attempt_sends_the_same() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let transport = {
        let seen = Arc::clone(&seen);
        service_fn(move |request: Request<Full<Bytes>>| {
            seen.lock().unwrap().push(request);
            async { Ok::<_, Infallible>(answer(200, r#"{"access_token":"abc"}"#)) }
        })
    };
    let mut fetcher = plain().fetcher(transport).unwrap();
    for _ in 0..2 {
        let ready = fetcher.ready().await.unwrap();
        tower::Service::call(ready, TokenRequest::first(now()))
            .await
            .unwrap();
    }
    let mut seen = std::mem::take(&mut *seen.lock().unwrap()).into_iter();
    let first = written(seen.next().unwrap()).await;
    assert_eq!(first, written(seen.next().unwrap()).await);
    assert!(seen.next().is_none());
}
