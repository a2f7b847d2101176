//! A dialect that can be read can be written and read again, and one that can be built gets a token and asks nobody
//! for it but a safe endpoint. A file that begins with a brace is JSON, any other TOML.
#![no_main]

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value};
use tower::service_fn;
use tower_oauth::{
    ConfigError, Origin, SecretRef, TokenSource,
    client_credentials::{BodyEncoding, Dialect, ParamValue},
};
use tower_oauth_fuzz::{assert_no_secret, client, decode_form, printed, run};

fuzz_target!(|text: &[u8]| -> Corpus {
    let Some(dialect) = std::str::from_utf8(text).ok().and_then(read) else {
        return Corpus::Reject;
    };
    match dialect.check() {
        Ok(()) => {
            check_writing(&dialect);
            // Without a key there is no assertion.
            if dialect.assertion.is_none() && !reads_files(&dialect) {
                run(check_source(dialect));
            }
        }
        Err(error) => check_error(&error),
    }
    Corpus::Keep
});

fn read(text: &str) -> Option<Dialect> {
    match text.starts_with('{') {
        true => serde_json::from_str(text).ok(),
        false => toml::from_str(text).ok(),
    }
}

fn check_writing(dialect: &Dialect) {
    let json = serde_json::to_string(dialect).expect("a dialect that was read holds no secret");
    let again: Dialect = serde_json::from_str(&json).expect("what was written can be read");
    assert_eq!(shown(again), shown(dialect.clone()), "{json}");

    // Its numbers end at 63 bits.
    if let Ok(toml) = toml::to_string(dialect) {
        let again: Dialect = toml::from_str(&toml).expect("what was written can be read");
        assert_eq!(shown(again), shown(dialect.clone()), "{toml}");
    }
}

/// All that is in it; the headers apart, since their order is none.
fn shown(mut dialect: Dialect) -> (String, String) {
    let headers = serde_json::to_string(&std::mem::take(&mut dialect.headers)).unwrap();
    (headers, format!("{dialect:?}"))
}

/// Whatever files there are on the machine that fuzzes, none of them is to be opened.
fn reads_files(dialect: &Dialect) -> bool {
    let is_file = |value: &ParamValue| matches!(value, ParamValue::Reference(SecretRef::File(_)));
    let (params, headers) = (&dialect.token_params, &dialect.token_headers);
    params.values().chain(headers.values()).any(is_file)
}

async fn check_source(dialect: Dialect) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let source = match build(dialect.clone(), Arc::clone(&asked)) {
        Ok(source) => source,
        Err(error) => return check_error(&error),
    };
    let token = source.token().await;
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    let [request] = asked.try_into().expect("one request was sent");
    check_request(&dialect, request).await;

    let fields = &dialect.response;
    let names = fields.extras.iter().chain([&fields.token]);
    // An answer with a member of this name is a rejection, whatever it was meant for.
    if names.into_iter().any(|name| name == "error") {
        return;
    }
    let token = token.expect("a dialect that can be built can get a token");
    let headers: Vec<_> = token.headers().collect();
    let names: HashSet<_> = headers.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), headers.len(), "a header is there twice");
    assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
    let carries = |text: &str| text.contains("t0ken");
    assert!(
        headers
            .iter()
            .any(|(_, value)| value.to_str().is_ok_and(carries))
    );
    assert_no_secret(&format!("{source:?} {token:?} {:?}", source.status()));
}

type Sent = Request<Full<Bytes>>;

async fn check_request(dialect: &Dialect, request: Sent) {
    assert!(is_safe(dialect, request.uri()), "asked {}", request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if dialect.body == BodyEncoding::Form {
        decode_form(&body);
    }
}

/// A client over a transport that answers with all that the dialect looks for.
fn build(dialect: Dialect, asked: Arc<Mutex<Vec<Sent>>>) -> Result<TokenSource, ConfigError> {
    let fields = &dialect.response;
    let mut members: Map<String, Value> = fields
        .extras
        .iter()
        .map(|name| (name.clone(), "s3condary".into()))
        .collect();
    members.insert(fields.token.clone(), "t0ken".into());
    let answer = Bytes::from(Value::Object(members).to_string());
    let transport = service_fn(move |request: Sent| {
        asked.lock().unwrap().push(request);
        let answer = Response::new(Full::<Bytes>::from(answer.clone()));
        async move { Ok::<_, Infallible>(answer) }
    });
    let scopes = usize::from(dialect.body != BodyEncoding::Empty && dialect.scope.most != Some(0));
    let scopes = ["read"].into_iter().take(scopes);
    client(dialect).scopes(scopes).build(transport)
}

fn is_safe(dialect: &Dialect, uri: &Uri) -> bool {
    let origin = Origin::of(uri).expect("a token endpoint has an origin");
    origin.is_secure() || dialect.danger_allow_http.contains(&origin)
}

fn check_error(error: &ConfigError) {
    assert!(!error.field().is_empty());
    assert_no_secret(&printed(error));
}
