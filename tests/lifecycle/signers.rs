//! What a source does while a signer is slow, and when it fails.

use std::{
    collections::VecDeque,
    env, fs,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Service, service_fn};
use tower_oauth::{
    BoxError, ClientId, Clock, FailureClass, FetchError, FetchErrorKind, OAuthErrorKind, SecretRef,
    SigningAlgorithm, TokenSource,
    client_credentials::{Assertion, ClientCredentialsBuilder, Dialect, SigningRequest},
};

use crate::support::{at_once, fetch_ended, secs, text};

type Signed = Result<Vec<u8>, BoxError>;

/// What a signer does with a call; after the script it signs.
enum Says {
    After(u64),
    Fails(fn() -> BoxError),
}

/// A signer, a token endpoint that takes any signature, and a source over both. A token lives an hour.
struct World {
    script: Arc<Mutex<VecDeque<Says>>>,
    source: TokenSource,
    started: tokio::time::Instant,
}

impl World {
    fn new(script: impl IntoIterator<Item = Says>) -> Self {
        let script = Arc::new(Mutex::new(script.into_iter().collect()));
        Self {
            source: source(Arc::clone(&script)),
            script,
            started: tokio::time::Instant::now(),
        }
    }

    fn then(&self, says: Says) {
        self.script.lock().unwrap().push_back(says);
    }
}

fn source(script: Arc<Mutex<VecDeque<Says>>>) -> TokenSource {
    let signer = service_fn(move |_: SigningRequest| {
        let says = script.lock().unwrap().pop_front();
        async move {
            match says {
                Some(Says::Fails(error)) => return Signed::Err(error()),
                Some(Says::After(time)) => tokio::time::sleep(secs(time)).await,
                None => {}
            }
            Ok(vec![0; 64])
        }
    });
    let mut number = 0;
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        number += 1;
        let token = format!(r#"{{"access_token":"token-{number}","expires_in":3600}}"#);
        async move { Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(token))) }
    });
    signing(signer).build(transport).unwrap()
}

fn signing<S>(signer: S) -> ClientCredentialsBuilder
where
    S: Service<SigningRequest, Response = Vec<u8>, Error = BoxError> + Send + 'static,
    S::Future: Send,
{
    let dialect = Dialect::new("bank", "https://login.example/token");
    ClientCredentialsBuilder::new(dialect, ClientId::new("me").unwrap())
        .assertion(Assertion::client(SigningAlgorithm::Es256))
        .signer(signer)
        .clock(Clock::tokio())
}

/// Nobody who has a token waits for a signature.
#[tokio::test(start_paused = true)]
async fn a_slow_signer_holds_up_no_request_that_has_a_token() {
    let world = World::new([]);
    assert_eq!(text(&world.source).await, "token-1");
    // It is to be refreshed, and can still be used for minutes.
    tokio::time::sleep(secs(3310)).await;
    world.then(Says::After(7));
    let refreshing = world.started.elapsed();
    for _ in 0..6 {
        assert_eq!(at_once(&world.source).unwrap().unwrap(), "token-1");
        tokio::time::sleep(secs(1)).await;
        assert!(world.source.status().fetching);
    }
    fetch_ended(&world.source).await;
    assert_eq!((world.started.elapsed() - refreshing).as_secs(), 7);
    assert_eq!(at_once(&world.source).unwrap().unwrap(), "token-2");
}

/// The signer's time is a part of the attempt's.
#[tokio::test(start_paused = true)]
async fn a_signer_has_as_long_as_an_attempt() {
    let world = World::new([Says::After(7)]);
    assert_eq!(text(&world.source).await, "token-1");
    let world = World::new([Says::After(9), Says::After(0)]);
    assert_eq!(text(&world.source).await, "token-1");
    let counters = world.source.status().counters;
    assert_eq!((counters.fetches, counters.attempts), (1, 2));
    assert_eq!(world.started.elapsed().as_secs(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_who_failed_and_when_it_is_tried_again() {
    let world = World::new([Says::Fails(|| "the vault is sealed".into())]);
    let error = world.source.token().await.unwrap_err();
    assert_eq!(error.kind(), OAuthErrorKind::Signer);
    let fetch_error = error.fetch_error().unwrap();
    assert_eq!(fetch_error.kind(), FetchErrorKind::Signer);
    assert_eq!(fetch_error.class(), FailureClass::Unclear);
    let wait = error.retry_after().unwrap();
    let text_of_error = error.to_string();
    assert!(
        text_of_error.starts_with("bank: the assertion could not be signed: the vault is sealed. Check the signer: nothing was sent"),
        "{text_of_error}"
    );
    assert!(
        text_of_error.contains("Next attempt at "),
        "{text_of_error}"
    );
    // Nobody is asked before.
    world.then(Says::Fails(|| "asked too early".into()));
    assert_eq!(
        world.source.token().await.unwrap_err().to_string(),
        text_of_error
    );
    world.script.lock().unwrap().clear();
    tokio::time::sleep(wait).await;
    assert_eq!(text(&world.source).await, "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_hangs_is_named() {
    let world = World::new([Says::After(60), Says::After(60), Says::After(60)]);
    let error = world.source.token().await.unwrap_err();
    assert_eq!(error.kind(), OAuthErrorKind::Signer, "{error}");
    let error = error.to_string();
    assert!(
        error
            .starts_with("bank: the assertion's signer did not answer within timeouts.attempt, 8s"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_is_tried_again_within_the_fetch() {
    let busy = || FetchError::transient("the KMS is busy").into();
    let world = World::new([Says::Fails(busy)]);
    assert_eq!(text(&world.source).await, "token-1");
    let counters = world.source.status().counters;
    assert_eq!((counters.fetches, counters.attempts), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    let world = World::new([Says::Fails(|| panic!("scripted panic"))]);
    let error = world.source.token().await.unwrap_err();
    tokio::time::sleep(error.retry_after().unwrap()).await;
    assert_eq!(text(&world.source).await, "token-1");
}

/// A secret beside the assertion changes: the denied attempt is followed by one with the new secret and a new
/// signature.
#[tokio::test(start_paused = true)]
async fn a_secret_beside_the_assertion_may_change() {
    let path = env::temp_dir().join(format!("tower-oauth-{}-beside", std::process::id()));
    fs::write(&path, "first").unwrap();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (into, file) = (sent.clone(), path.clone());
    let transport = service_fn(move |request: Request<Full<Bytes>>| {
        let (into, file) = (into.clone(), file.clone());
        async move {
            fs::write(&file, "second").unwrap();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            let (status, answer) = match body.contains("pin=second") {
                true => (200, r#"{"access_token":"token","expires_in":3600}"#),
                false => (401, r#"{"error":"invalid_client"}"#),
            };
            into.lock().unwrap().push(body);
            let mut answer = Response::new(Full::<Bytes>::from(answer));
            *answer.status_mut() = status.try_into().unwrap();
            Ok::<_, BoxError>(answer)
        }
    });
    let source = signing(service_fn(async |_: SigningRequest| {
        Ok::<_, BoxError>(vec![0; 64])
    }))
    .token_param("pin", SecretRef::File(path.clone()))
    .build(transport)
    .unwrap();
    assert_eq!(text(&source).await, "token");
    fs::remove_file(&path).unwrap();
    let sent = sent.lock().unwrap().clone();
    let assertion = |body: &str| body.split("client_assertion=").nth(1).unwrap().to_owned();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[0].contains("pin=first"));
    assert_ne!(assertion(&sent[0]), assertion(&sent[1]));
}

/// A claim that is kept in a file is read for each fetch, and a server that repeats it is not repeated.
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_a_secret_may_change_and_is_not_told() {
    let path = env::temp_dir().join(format!("tower-oauth-{}-claim", std::process::id()));
    fs::write(&path, "c4n4ry-1\n").unwrap();
    let pins = Arc::new(Mutex::new(Vec::new()));
    let into = pins.clone();
    let signer = service_fn(move |request: SigningRequest| {
        let claims = request.bytes().split(|byte| *byte == b'.').nth(1).unwrap();
        let claims = BASE64URL_NOPAD.decode(claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        into.lock().unwrap().push(claims["pin"].clone());
        async { Ok::<_, BoxError>(vec![0; 64]) }
    });
    let transport = service_fn(async |_: Request<Full<Bytes>>| {
        let answer = r#"{"error":"c4n4ry-1","error_description":"no c4n4ry-1 c4n4ry-2"}"#;
        let mut answer = Response::new(Full::<Bytes>::from(answer));
        *answer.status_mut() = 401.try_into().unwrap();
        Ok::<_, BoxError>(answer)
    });
    let mut assertion = Assertion::client(SigningAlgorithm::Es256);
    let pin = SecretRef::File(path.clone()).into();
    assertion.claims.insert("pin".into(), pin);
    let source = signing(signer).assertion(assertion).build(transport);
    let source = source.unwrap();
    assert!(source.token().await.is_err());
    fs::write(&path, "c4n4ry-2").unwrap();
    source.retry_now();
    let error = source.token().await.unwrap_err();
    fs::remove_file(&path).unwrap();
    assert_eq!(*pins.lock().unwrap(), ["c4n4ry-1", "c4n4ry-2"]);
    let text = format!("{error} {error:?} {:?}", source.status());
    assert!(
        text.contains("[elided]") && !text.contains("c4n4ry"),
        "{text}"
    );
}
