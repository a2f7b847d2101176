//! A client's secret that changes: what is sent, when it is read, and who is told that it cannot be.

use std::{
    env, fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::sync::Semaphore;
use tower::{limit::ConcurrencyLimit, service_fn};
use tower_oauth::{
    BackOff, BoxError, ClientId, ClientSecret, Clock, FailureClass, FetchError, Secret, SecretRef,
    TokenSource,
    client_credentials::{ClientCredentialsBuilder, CredentialPlacement, Dialect},
};

use crate::support::{fetch_ended, logs::Logs, millis, secs, text};

/// A token endpoint that knows one secret, and records what it is sent.
#[derive(Clone)]
struct Endpoint {
    known: Arc<Mutex<String>>,
    sent: Arc<Mutex<Vec<String>>>,
    started: tokio::time::Instant,
}

impl Endpoint {
    fn new(secret: &str) -> Self {
        Self {
            known: Arc::new(Mutex::new(secret.into())),
            sent: Arc::default(),
            started: tokio::time::Instant::now(),
        }
    }

    fn know(&self, secret: &str) {
        *self.known.lock().unwrap() = secret.into();
    }

    /// The secrets that arrived since it was last asked.
    fn sent(&self) -> Vec<String> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    fn answer(&self, body: &str) -> Response<Full<Bytes>> {
        let secret = body.split("client_secret=").nth(1).unwrap_or_default();
        let secret = secret.split('&').next().unwrap().to_owned();
        let is_known = *self.known.lock().unwrap() == secret;
        let mut sent = self.sent.lock().unwrap();
        sent.push(secret);
        let (status, body) = match is_known {
            true => {
                let token = format!(
                    r#"{{"access_token":"token-{}","expires_in":3600}}"#,
                    sent.len()
                );
                (200, token)
            }
            // It repeats what it was sent.
            false => (
                401,
                format!(r#"{{"error":"invalid_client","error_description":"{body}"}}"#),
            ),
        };
        let mut answer = Response::new(Full::from(body));
        *answer.status_mut() = status.try_into().unwrap();
        answer
    }

    fn builder(&self, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
        let mut dialect = Dialect::new("bank", "https://login.example/token");
        dialect.credentials = CredentialPlacement::Body {
            id: "client_id".into(),
            secret: "client_secret".into(),
        };
        ClientCredentialsBuilder::new(dialect, ClientId::new("me").unwrap())
            .secret(secret)
            .clock(Clock::tokio())
    }

    fn build(&self, builder: ClientCredentialsBuilder) -> TokenSource {
        let endpoint = self.clone();
        let transport = service_fn(move |request: Request<Full<Bytes>>| {
            let endpoint = endpoint.clone();
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, BoxError>(endpoint.answer(std::str::from_utf8(&body).unwrap()))
            }
        });
        builder.build(transport).unwrap()
    }

    fn source(&self, secret: impl Into<Secret>) -> TokenSource {
        self.build(self.builder(secret))
    }
}

/// Fetches anew, whatever the source has.
async fn fetch_again(source: &TokenSource) {
    if let Ok(token) = source.token().await {
        source.invalidate(token.generation());
    }
    source.retry_now();
    let _ = source.token().await;
    fetch_ended(source).await;
    // The draws from the bucket of fetches after rejections come back.
    tokio::time::sleep(secs(21)).await;
}

/// A file of this test's own, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("tower-oauth-{}-{name}", std::process::id());
        let file = Self(env::temp_dir().join(name));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.0, text).unwrap();
    }

    fn secret(&self) -> Secret {
        Secret::from_file(&self.0)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const UNREADABLE: &str = "the client's secret cannot be read";

#[tokio::test(start_paused = true)]
async fn a_file_is_read_for_each_fetch() {
    let endpoint = Endpoint::new("first");
    let file = File::new("each", "first\n");
    let source = endpoint.source(file.secret());
    text(&source).await;
    file.write("\u{feff}second\r\n");
    endpoint.know("second");
    fetch_again(&source).await;
    assert_eq!(endpoint.sent(), ["first", "second"]);
    assert_eq!(source.status().counters.failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_variable_is_read() {
    let endpoint = Endpoint::new("first");
    // To set one is `unsafe`: here is one that is set.
    let path = env::var("PATH").unwrap();
    endpoint.know(&form_urlencoded(&path));
    let source = endpoint.source(Secret::from_env("PATH"));
    text(&source).await;
    assert_eq!(endpoint.sent(), [form_urlencoded(&path)]);
}

fn form_urlencoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_mounted_file_is_swapped_by_a_symlink() {
    // As Kubernetes does it: secret -> ..data/secret, ..data -> ..2026_1, and `..data` is renamed over.
    let root = env::temp_dir().join(format!("tower-oauth-{}-mount", std::process::id()));
    let mount = |version: &str, secret: &str| {
        let folder = root.join(version);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("secret"), secret).unwrap();
        std::os::unix::fs::symlink(version, root.join("..tmp")).unwrap();
        fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
    };
    mount("..2026_1", "first\n");
    std::os::unix::fs::symlink("..data/secret", root.join("secret")).unwrap();
    let endpoint = Endpoint::new("first");
    let source = endpoint.source(Secret::from_file(root.join("secret")));
    text(&source).await;
    mount("..2026_2", "second\n");
    fs::remove_dir_all(root.join("..2026_1")).unwrap();
    endpoint.know("second");
    fetch_again(&source).await;
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(endpoint.sent(), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_later_leaves_the_last_value_with_one_warning() {
    let (logs, _listening) = Logs::listen();
    let endpoint = Endpoint::new("first");
    let file = File::new("half", "first");
    let source = endpoint.source(file.secret());
    text(&source).await;
    for half_written in ["", "\n", "first\u{200b}", "fi\u{a0}rst", "first "] {
        file.write(half_written);
        fetch_again(&source).await;
    }
    fs::remove_file(&file.0).unwrap();
    fetch_again(&source).await;
    assert_eq!(endpoint.sent(), ["first"; 7]);
    let warnings = logs.with(UNREADABLE);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("WARN"), "{warnings:?}");
    assert!(warnings[0].contains("must not be empty"), "{warnings:?}");
    assert!(warnings[0].contains("half"), "{warnings:?}");

    // A good read ends that, and the next trouble is a new one.
    file.write("first");
    fetch_again(&source).await;
    file.write("sec\u{200b}ond");
    fetch_again(&source).await;
    fetch_again(&source).await;
    let warnings = logs.with(UNREADABLE);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[1].contains("U+200B at character 4"),
        "{warnings:?}"
    );
}

/// As short as the bank's secrets never are.
#[tokio::test(start_paused = true)]
async fn a_value_that_does_not_fit_the_dialect_is_not_sent() {
    let endpoint = Endpoint::new("long-enough");
    let file = File::new("short", "long-enough");
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.credentials = CredentialPlacement::Body {
        id: "client_id".into(),
        secret: "client_secret".into(),
    };
    dialect.secret_length = Some(tower_oauth::client_credentials::SecretLength::new(8, 64));
    let builder = ClientCredentialsBuilder::new(dialect, ClientId::new("me").unwrap())
        .secret(file.secret())
        .clock(Clock::tokio());
    let (logs, _listening) = Logs::listen();
    let source = endpoint.build(builder);
    text(&source).await;
    file.write("short");
    fetch_again(&source).await;
    assert_eq!(endpoint.sent(), ["long-enough"; 2]);
    let warnings = logs.with(UNREADABLE);
    assert!(warnings[0].contains("8 to 64 characters"), "{warnings:?}");
    assert_eq!(warnings.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_when_built_is_an_error() {
    let endpoint = Endpoint::new("first");
    let empty = File::new("empty", "\n");
    let hidden = File::new("hidden", "fir\u{a0}st\n");
    let place = |file: &File| format!("file {}", file.0.display());
    for (secret, field, rule) in [
        (
            Secret::from_env("TOWER_OAUTH_UNSET"),
            "env TOWER_OAUTH_UNSET".into(),
            "is not set",
        ),
        (
            Secret::from_file("/no/such/file"),
            "file /no/such/file".into(),
            "cannot be read",
        ),
        (empty.secret(), place(&empty), "must not be empty"),
        (hidden.secret(), place(&hidden), "U+00A0 at character 4"),
    ] {
        let transport = service_fn(
            async |_: Request<Full<Bytes>>| -> Result<Response<Full<Bytes>>, BoxError> {
                unreachable!()
            },
        );
        let error = endpoint.builder(secret).build(transport).unwrap_err();
        assert_eq!(error.source_name(), Some("bank"));
        assert_eq!(error.field(), field);
        assert!(error.rule().contains(rule), "{error}");
        assert!(!format!("{error:?}").contains("fir"), "{error:?}");
    }
}

/// The secret of a configuration file is a reference.
#[tokio::test(start_paused = true)]
async fn a_reference_is_a_secret_that_changes() {
    let endpoint = Endpoint::new("first");
    let file = File::new("reference", "first");
    let source = endpoint.source(SecretRef::File(file.0.clone()));
    text(&source).await;
    file.write("second");
    fetch_again(&source).await;
    assert_eq!(endpoint.sent(), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_reference_of_the_dialect_is_read_anew_too() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = sent.clone();
    let transport = service_fn(move |request: Request<Full<Bytes>>| {
        let seen = seen.clone();
        async move {
            let key = request.headers()["x-key"].to_str().unwrap().to_owned();
            assert!(request.headers()["x-key"].is_sensitive());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            let pin = body.split("pin=").nth(1).unwrap().to_owned();
            seen.lock().unwrap().push((key, pin));
            let token = format!(
                r#"{{"access_token":"{}","expires_in":60}}"#,
                seen.lock().unwrap().len()
            );
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(token)))
        }
    });
    let (key, pin) = (File::new("key", "key-1\n"), File::new("pin", "pin-1\n"));
    let dialect = Dialect::new("bank", "https://login.example/token");
    let source = ClientCredentialsBuilder::new(dialect, ClientId::new("me").unwrap())
        .secret(ClientSecret::new("fixed"))
        .token_header("x-key", SecretRef::File(key.0.clone()))
        .token_param("pin", SecretRef::File(pin.0.clone()))
        .clock(Clock::tokio())
        .build(transport)
        .unwrap();
    text(&source).await;
    key.write("key-2");
    // No header can carry it: the last value is sent.
    fetch_again(&source).await;
    pin.write("pin-2");
    key.write("ü");
    fetch_again(&source).await;
    let sent: Vec<_> = std::mem::take(&mut *sent.lock().unwrap());
    let pair = |key: &str, pin: &str| (key.to_owned(), pin.to_owned());
    assert_eq!(
        sent,
        [
            pair("key-1", "pin-1"),
            pair("key-2", "pin-1"),
            pair("key-2", "pin-1")
        ]
    );
}

/// A function, what it returns, and how often it was called.
#[derive(Clone, Default)]
struct Vault {
    calls: Arc<AtomicUsize>,
    says: Arc<Mutex<Option<Says>>>,
}

#[derive(Clone)]
enum Says {
    Secret(&'static str),
    Fails(&'static str),
    Sealed,
    Hangs,
    Panics,
}

impl Vault {
    fn new(says: Says) -> Self {
        let vault = Self::default();
        vault.say(says);
        vault
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = Some(says);
    }

    fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    fn secret(&self) -> Secret {
        let vault = self.clone();
        Secret::from_fn(move || {
            vault.calls.fetch_add(1, SeqCst);
            let says = vault.says.lock().unwrap().clone().unwrap();
            async move {
                match says {
                    Says::Secret(secret) => Ok(ClientSecret::new(secret)),
                    Says::Fails(why) => Err(BoxError::from(why)),
                    Says::Sealed => Err(FetchError::transient("the vault is sealed").into()),
                    Says::Hangs => std::future::pending().await,
                    Says::Panics => panic!("scripted panic"),
                }
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_is_called_once_for_each_fetch() {
    let (endpoint, vault) = (Endpoint::new("first"), Vault::new(Says::Secret("first\n")));
    let source = endpoint.source(vault.secret());
    assert_eq!(vault.calls(), 0);
    text(&source).await;
    assert_eq!(vault.calls(), 1);
    vault.say(Says::Secret("second"));
    endpoint.know("second");
    fetch_again(&source).await;
    assert_eq!(vault.calls(), 2);
    assert_eq!(endpoint.sent(), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_later_leaves_the_last_value() {
    let (logs, _listening) = Logs::listen();
    let (endpoint, vault) = (Endpoint::new("first"), Vault::new(Says::Secret("first")));
    let source = endpoint.source(vault.secret());
    text(&source).await;
    for says in [
        Says::Fails("the vault is down"),
        Says::Sealed,
        Says::Panics,
        Says::Secret("fi\u{200b}rst"),
        Says::Hangs,
    ] {
        vault.say(says);
        fetch_again(&source).await;
    }
    assert_eq!(endpoint.sent(), ["first"; 6]);
    assert_eq!(source.status().counters.failures, 0);
    let warnings = logs.with(UNREADABLE);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the vault is down"), "{warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_at_first_is_an_error_in_its_own_words() {
    for (says, class, expected) in [
        (
            Says::Fails("the vault is down"),
            FailureClass::Unclear,
            "the vault is down",
        ),
        (Says::Sealed, FailureClass::Transient, "the vault is sealed"),
        (Says::Panics, FailureClass::Unclear, "panicked"),
        (
            Says::Hangs,
            FailureClass::Transient,
            "did not answer within 6s",
        ),
        (
            Says::Secret("fi\u{200b}rst"),
            FailureClass::Unclear,
            "U+200B at character 3",
        ),
        (Says::Secret(""), FailureClass::Unclear, "must not be empty"),
    ] {
        let (endpoint, vault) = (Endpoint::new("first"), Vault::new(says));
        let source = endpoint.source(vault.secret());
        let error = source.token().await.unwrap_err();
        assert_eq!(error.class(), Some(class), "{error}");
        assert!(error.to_string().contains(UNREADABLE), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(endpoint.sent(), [""; 0]);
        // It is called again by the next fetch.
        vault.say(Says::Secret("first"));
        source.retry_now();
        text(&source).await;
        assert_eq!(endpoint.sent(), ["first"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_function_is_waited_for() {
    let endpoint = Endpoint::new("first");
    let secret = Secret::from_fn(async || {
        tokio::time::sleep(secs(5)).await;
        Ok::<_, BoxError>(ClientSecret::new("first"))
    });
    let source = endpoint.source(secret);
    text(&source).await;
    assert_eq!(endpoint.started.elapsed(), secs(5));
}

/// A vault behind the connection limit that the token endpoint has, too.
#[tokio::test(start_paused = true)]
async fn a_function_may_need_the_permit_that_the_transport_needs() {
    let permits = Arc::new(Semaphore::new(1));
    let shared = permits.clone();
    let secret = Secret::from_fn(move || {
        let permits = shared.clone();
        async move {
            let _permit = permits.acquire().await.unwrap();
            tokio::time::sleep(secs(1)).await;
            Ok::<_, BoxError>(ClientSecret::new("first"))
        }
    });
    let endpoint = Endpoint::new("first");
    let bank = endpoint.clone();
    let transport = service_fn(move |request: Request<Full<Bytes>>| {
        let endpoint = bank.clone();
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, BoxError>(endpoint.answer(std::str::from_utf8(&body).unwrap()))
        }
    });
    let transport = ConcurrencyLimit::with_semaphore(transport, permits);
    let source = endpoint.builder(secret).build(transport).unwrap();
    text(&source).await;
    fetch_again(&source).await;
    assert_eq!(endpoint.sent(), ["first", "first"]);
    let counters = source.status().counters;
    assert_eq!((counters.fetches, counters.failures), (2, 0));
}

/// What else is wrong is found when the source is built.
#[tokio::test(start_paused = true)]
async fn a_function_does_not_hide_other_mistakes() {
    let endpoint = Endpoint::new("first");
    let vault = Vault::new(Says::Secret("first"));
    let transport = service_fn(
        async |_: Request<Full<Bytes>>| -> Result<Response<Full<Bytes>>, BoxError> {
            unreachable!()
        },
    );
    let builder = endpoint
        .builder(vault.secret())
        .token_header("x-key", ClientSecret::new("ü"));
    let error = builder.build(transport).unwrap_err();
    assert_eq!(error.field(), "token_headers.x-key");
    assert_eq!(vault.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_changed_before_the_denial_costs_one_attempt() {
    let (endpoint, file) = (Endpoint::new("second"), File::new("race", "first"));
    let (bank, swapped) = (endpoint.clone(), file.0.clone());
    let transport = service_fn(move |request: Request<Full<Bytes>>| {
        let (endpoint, swapped) = (bank.clone(), swapped.clone());
        async move {
            // While the request is on its way.
            fs::write(&swapped, "second").unwrap();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, BoxError>(endpoint.answer(std::str::from_utf8(&body).unwrap()))
        }
    });
    let source = endpoint.builder(file.secret()).build(transport).unwrap();
    text(&source).await;
    assert_eq!(endpoint.sent(), ["first", "second"]);
    assert_eq!(endpoint.started.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_ends_the_back_off_and_neither_is_told() {
    let (logs, _listening) = Logs::listen();
    let endpoint = Endpoint::new("c4n4ry-2");
    let file = File::new("late", "c4n4ry-1");
    let told = Arc::new(Mutex::new(Vec::new()));
    let records = told.clone();
    let builder = endpoint
        .builder(file.secret())
        .policy(|policy| policy.back_off.permanent = BackOff::new(secs(60), secs(60)))
        .on_attempt(move |record| records.lock().unwrap().push(format!("{record} {record:?}")));
    let source = endpoint.build(builder);
    let error = source.token().await.unwrap_err();
    assert!(error.to_string().contains("invalid_client"), "{error}");
    assert!(error.to_string().contains("[elided]"), "{error}");
    let denied_at = tokio::time::Instant::now();
    tokio::time::sleep(millis(100)).await;
    file.write("c4n4ry-2");
    let mut changes = source.changes();
    changes.next().await.unwrap();
    assert_eq!(denied_at.elapsed(), secs(5));
    text(&source).await;
    assert_eq!(endpoint.sent().last().unwrap(), "c4n4ry-2");
    let status = format!("{:?}", source.status());
    let told = told.lock().unwrap().join("\n");
    for text in [error.to_string(), format!("{error:?}"), status, told] {
        assert!(!text.contains("c4n4ry"), "{text}");
    }
    assert_eq!(logs.with("c4n4ry"), Vec::<String>::new());
}

/// The bank's answer to the new secret repeats the old one, and the record and the error leave both out.
#[tokio::test(start_paused = true)]
async fn the_secret_before_is_removed_from_answers_too() {
    let file = File::new("before", "c4n4ry-1");
    let transport = service_fn(async |_: Request<Full<Bytes>>| {
        let body = r#"{"error":"c4n4ry-1","error_description":"c4n4ry-1 is not c4n4ry-2"}"#;
        let mut answer = Response::new(Full::<Bytes>::from(body));
        *answer.status_mut() = 401.try_into().unwrap();
        Ok::<_, BoxError>(answer)
    });
    let told = Arc::new(Mutex::new(Vec::new()));
    let records = told.clone();
    let endpoint = Endpoint::new("");
    let source = endpoint
        .builder(file.secret())
        .on_attempt(move |record| records.lock().unwrap().push(format!("{record} {record:?}")))
        .build(transport)
        .unwrap();
    assert!(source.token().await.is_err());
    file.write("c4n4ry-2");
    source.retry_now();
    let error = source.token().await.unwrap_err();
    let told = told.lock().unwrap().clone();
    assert_eq!(told.len(), 2);
    for text in [error.to_string(), told[1].clone()] {
        assert!(!text.contains("c4n4ry"), "{text}");
    }
}
