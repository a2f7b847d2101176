//! What the targets share: a client whose secret is a canary, over a transport that answers what the fuzzer says.

mod challenge;
#[path = "../../properties/decode.rs"]
mod decode;
mod stamp;

use std::{
    convert::Infallible,
    error::Error,
    fmt::Write,
    future::Future,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::service_fn;
use tower_oauth::{
    ClientId, ClientSecret, Clock, OAuthError, TokenSource,
    client_credentials::{ClientCredentialsBuilder, CredentialPlacement, Dialect},
};

pub use challenge::challenges;
pub use decode::{Decoded, decode_basic, decode_form, decode_json};
pub use stamp::stamp;

/// The client's secret. Nothing may ever print it.
pub const SECRET: &str = "s3cr3t/c4n4ry+&";

/// The same, as a form and a Basic header carry it, in either case, and as JSON may.
const SECRET_IN_A_FORM: [&str; 2] = ["s3cr3t%2Fc4n4ry%2B%26", "s3cr3t%2fc4n4ry%2b%26"];
const SECRET_IN_JSON: &str = r"s3cr3t\/c4n4ry+&";

/// A word that seeds and dictionaries put into answers, as a token and elsewhere. No error may quote it.
pub const WORD: &str = "w0rd-c4n4ry";

/// When every input is tried, by the wall clock: 2023-11-14 22:13:20 UTC.
pub const NOW: Duration = Duration::from_secs(1_700_000_000);

/// No `Retry-After` is believed beyond this: five minutes, and a tenth more.
pub const LONGEST_WAIT: Duration = Duration::from_secs(330);

pub type Answer = Response<Full<Bytes>>;

/// Runs to the end what an input sets off, on clocks that are paused.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

/// A client of this dialect at [`NOW`], which makes one attempt.
pub fn client(dialect: Dialect) -> ClientCredentialsBuilder {
    let has_secret = !matches!(dialect.credentials, CredentialPlacement::IdOnly { .. });
    let client = ClientCredentialsBuilder::new(dialect, ClientId::new("fuzz").unwrap());
    let client = match has_secret {
        true => client.secret(ClientSecret::new(SECRET)),
        false => client,
    };
    client
        .policy(|policy| policy.retry.attempts = 1)
        .clock(clock())
}

fn clock() -> Clock {
    let clock = Clock::tokio();
    let ahead = clock.wall().duration_since(SystemTime::UNIX_EPOCH + NOW);
    clock.step_wall_back(ahead.unwrap());
    clock
}

/// A source whose token endpoint always gives this answer.
pub fn source(client: ClientCredentialsBuilder, answer: Answer) -> TokenSource {
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer) }
    });
    client.build(transport).unwrap()
}

/// How long from [`NOW`] to a moment.
pub fn from_now(at: SystemTime) -> Duration {
    let now = SystemTime::UNIX_EPOCH + NOW;
    at.duration_since(now).expect("nothing lies in the past")
}

/// Reads an answer as people write one down: its status, its headers, an empty line, its body. Header lines that HTTP
/// itself rejects are left out.
pub fn answer(text: &[u8]) -> Option<Answer> {
    let (head, body) = split(text, b"\n\n");
    let (status, headers) = split(head, b"\n");
    let mut answer = Response::new(Full::from(body.to_vec()));
    *answer.status_mut() = StatusCode::from_bytes(status).ok()?;
    *answer.headers_mut() = header_lines(headers);
    Some(answer)
}

pub fn header_lines(text: &[u8]) -> HeaderMap {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| {
        let (name, value) = split(line, b":");
        let name = HeaderName::from_bytes(name).ok()?;
        let value = HeaderValue::from_bytes(value.trim_ascii()).ok()?;
        Some((name, value))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in lines.take(32) {
        headers.append(name, value);
    }
    headers
}

/// What stands before and after the first separator; nothing after it where there is none.
pub fn split<'a>(text: &'a [u8], separator: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = text
        .windows(separator.len())
        .position(|window| window == separator);
    match at {
        Some(at) => (&text[..at], &text[at + separator.len()..]),
        None => (text, &[]),
    }
}

/// Everything that can be printed of an error and of what caused it.
pub fn printed(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for link in std::iter::successors(Some(error), |&link| link.source()) {
        write!(text, "{link}\n{link:?}\n{link:#?}\n").unwrap();
    }
    text
}

pub fn assert_no_secret(text: &str) {
    for secret in [SECRET, SECRET_IN_JSON].into_iter().chain(SECRET_IN_A_FORM) {
        assert!(!text.contains(secret), "the secret is in {text:?}");
    }
}

/// What holds of every error of a fetch, whatever the answer was.
pub fn check_error(error: &OAuthError, source: &TokenSource) {
    let status = serde_json::to_string(&source.status()).unwrap();
    let text = printed(error) + &status + &format!("{source:?}");
    assert_no_secret(&text);

    let fetch = error.fetch_error().expect("the fetch failed, nothing else");
    let description = fetch.description().unwrap_or_default();
    assert_no_secret(description);
    assert!(description.chars().count() <= 201 && !description.contains(char::is_control));
    let code = fetch.code().unwrap_or_default();
    assert!(code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_graphic()));
    // Of an answer nothing else is printed, but for the origin that a redirect points to.
    let may_hold_it = [code, description].concat().contains(WORD) || text.contains("a redirect to");
    assert!(
        may_hold_it || !text.contains(WORD),
        "the answer is in {text:?}"
    );

    let wait = from_now(error.retry_at().expect("a source that failed backs off"));
    assert!(
        !wait.is_zero() && wait <= LONGEST_WAIT,
        "backs off for {wait:?}"
    );
}
