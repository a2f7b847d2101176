//! An API's rejection counts as one of the token unless a Bearer challenge says that its scopes do not suffice, and the
//! response is handed on as it came. The first line is the status, every further one a `WWW-Authenticate`.
#![no_main]

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::WWW_AUTHENTICATE};
use http_body_util::Full;
use libfuzzer_sys::{Corpus, fuzz_target};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth::{OAuthLayer, RejectionRule, client_credentials::Dialect};
use tower_oauth_fuzz::{Answer, challenges, client, run, source, split};

const TOKEN: &[u8] = br#"{"access_token":"abc","expires_in":3600}"#;

fuzz_target!(|text: &[u8]| -> Corpus {
    let (status, lines) = split(text, b"\n");
    let Ok(status) = StatusCode::from_bytes(status) else {
        return Corpus::Reject;
    };
    let lines = lines.split(|byte| *byte == b'\n').take(8);
    let lines = lines.filter_map(|line| HeaderValue::from_bytes(line).ok());
    let mut rejection = Response::new(Full::default());
    *rejection.status_mut() = status;
    rejection
        .headers_mut()
        .extend(lines.map(|line| (WWW_AUTHENTICATE, line)));
    run(check(rejection));
    Corpus::Keep
});

async fn check(rejection: Answer) {
    let dialect = Dialect::new("fuzz", "https://login.example/token");
    let rule = RejectionRule::statuses([StatusCode::UNAUTHORIZED], [StatusCode::FORBIDDEN]);
    let token = Response::new(Full::from(Bytes::from_static(TOKEN)));
    let source = source(client(dialect).rejection(rule), token);

    let given = rejection.clone();
    let api = service_fn(move |_: Request<()>| {
        let given = given.clone();
        async move { Ok::<_, Infallible>(given) }
    });
    let api = OAuthLayer::new(source.clone()).layer(api);
    let request = Request::get("https://api.example/").body(()).unwrap();
    let response = api.oneshot(request).await.unwrap();
    assert_eq!(response.status(), rejection.status());
    assert_eq!(response.headers(), rejection.headers());

    let counted = source.status().counters.rejections == 1;
    match rejection.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            check_judgement(counted, rejection.headers())
        }
        _ => assert!(!counted),
    }
}

fn check_judgement(counted: bool, headers: &HeaderMap) {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter();
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    // A line that says neither word means nothing; one that says both and is not to the letter may be read either way.
    let lines = lines.iter().filter(|line| {
        let line = line.to_ascii_lowercase();
        line.contains("bearer") && line.contains("insufficient_scope")
    });
    let judged: Option<Vec<_>> = lines.map(|line| lacks_scope(line)).collect();
    if let Some(judged) = judged {
        assert_eq!(counted, !judged.contains(&true));
    }
}

fn lacks_scope(line: &str) -> Option<bool> {
    let challenges = challenges(line)?;
    let bearer = challenges
        .iter()
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let mut errors = bearer
        .flat_map(|(_, parameters)| parameters)
        .filter(|(name, _)| name.eq_ignore_ascii_case("error"));
    Some(errors.any(|(_, value)| value.eq_ignore_ascii_case("insufficient_scope")))
}
