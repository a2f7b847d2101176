//! Many clients of one dialect: they share it, and each has its own name.

use std::fs;

use super::*;
use crate::{ConfigError, SecretRef, TokenSource};

fn shared() -> Arc<Dialect> {
    Arc::new(Dialect::new("bank", "https://login.example/token"))
}

fn client(dialect: &Arc<Dialect>) -> ClientCredentialsBuilder {
    ClientCredentialsBuilder::new(Arc::clone(dialect), id("me")).secret(secret("c4n4ry"))
}

fn built(builder: ClientCredentialsBuilder) -> Result<TokenSource, ConfigError> {
    let transport = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(answer(
            200,
            r#"{"access_token":"a", "scope":"x", "expires_in":60}"#,
        ))
    });
    builder.build(transport)
}

#[tokio::test]
async fn sources_share_their_dialect_also_while_and_after_they_fetch() {
    let dialect = shared();
    let sources = [0, 1, 2].map(|_| built(client(&dialect)).unwrap());
    assert_eq!(Arc::strong_count(&dialect), 4, "one count each");
    for source in &sources {
        source.ready().await.unwrap();
    }
    let seen = Arc::clone(&dialect);
    let during = service_fn(move |_: Request<Full<Bytes>>| {
        // The source, its request, those above, and this function.
        assert_eq!(Arc::strong_count(&seen), 2 + 4 + 1);
        async { Ok::<_, Infallible>(answer(200, r#"{"access_token":"a"}"#)) }
    });
    client(&dialect)
        .build(during)
        .unwrap()
        .ready()
        .await
        .unwrap();
    assert_eq!(
        Arc::strong_count(&dialect),
        4,
        "none for a request that is over"
    );
    drop(sources);
    assert_eq!(Arc::strong_count(&dialect), 1);
}

#[test]
fn what_overrides_the_dialect_has_a_copy_and_leaves_the_others_alone() {
    let dialect = shared();
    let overrides: [fn(ClientCredentialsBuilder) -> ClientCredentialsBuilder; 6] = [
        |it| it.token_url("https://other.example/token"),
        |it| it.token_param("a", "b"),
        |it| it.token_header("a", "b"),
        |it| it.header_value("a", "b"),
        |it| it.origin("https://api.example"),
        |it| it.danger_allow_http("http://mesh.internal"),
    ];
    for (at, change) in overrides.into_iter().enumerate() {
        let source = built(change(client(&dialect))).unwrap();
        assert_eq!(Arc::strong_count(&dialect), 1, "{at}");
        drop(source);
    }
    let (was, is) = (shared(), dialect);
    assert_eq!(format!("{was:?}"), format!("{is:?}"));
}

#[tokio::test]
async fn a_secret_of_the_dialect_is_read_into_a_copy() {
    let file = std::env::temp_dir().join(format!("one_dialect-{}", std::process::id()));
    fs::write(&file, "k3y-value").unwrap();
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    let key = SecretRef::File(file.clone());
    dialect.token_headers.insert("x-key".into(), key.into());
    let dialect = Arc::new(dialect);
    let request = sent(client(&dialect)).await;
    fs::remove_file(file).unwrap();
    assert_eq!(request.headers()["x-key"], "k3y-value");
    assert!(!format!("{dialect:?}").contains("k3y-value"));
}

#[test]
fn an_error_of_the_configuration_has_the_name_of_its_source() {
    let mut wrong = Dialect::new("bank", "https://login.example/token");
    wrong.accept = Some("\n".into());
    let mistakes = [
        client(&Arc::new(wrong)),
        client(&shared()).scopes(["a b"]),
        client(&shared()).token_url("http://login.example"),
        client(&shared()).origin("http://api.example"),
        client(&shared()).origin("api"),
        client(&shared()).secret(secret("")),
        client(&shared()).policy(|policy| policy.retry.attempts = 0),
    ];
    for (at, builder) in mistakes.into_iter().enumerate() {
        let error = built(builder.name("bank/customer-17")).unwrap_err();
        assert_eq!(error.source_name(), Some("bank/customer-17"), "{at}");
    }
    let transport = |_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(answer(200, "")) };
    for name in ["", "bank\n17"] {
        let named = client(&shared()).name(name);
        let error = named.clone().fetcher(service_fn(transport)).unwrap_err();
        assert_eq!(error.field(), "name");
        assert_eq!(built(named).unwrap_err().field(), "name");
    }
}

#[test]
fn the_name_is_the_dialects_unless_it_is_given() {
    let dialect = shared();
    let of = |builder| built(builder).unwrap().status().name;
    assert_eq!(&*of(client(&dialect)), "bank");
    assert_eq!(&*of(client(&dialect).name("bank/17")), "bank/17");
}
