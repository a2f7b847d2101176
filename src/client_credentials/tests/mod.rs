//! The fetcher over transports that answer by themselves: its requests, its reading of answers, and the mistakes that
//! the builder reports.

mod answers;
#[cfg(all(feature = "jwt", feature = "testing"))]
mod assertions;
mod attempt_records;
mod beside_a_token;
mod broken_answers;
mod configuration;
mod drips;
mod ends;
mod failures;
mod files;
mod knobs;
mod last_word;
mod messages;
mod mistakes;
mod one_dialect;
#[cfg(feature = "reqwest")]
mod over_sockets;
mod readiness;
mod requests;
mod tables;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceExt, service_fn};

use super::{ClientCredentialsBuilder, Dialect};
use crate::{ClientId, ClientSecret, FetchError, Token, TokenRequest};

/// 2023-11-14 22:13:20 UTC: when every attempt starts.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) fn id(id: &str) -> ClientId {
    ClientId::new(id).unwrap()
}

pub(crate) fn secret(secret: &str) -> ClientSecret {
    ClientSecret::new(secret)
}

/// A client of a dialect as RFC 6749 has it.
fn plain() -> ClientCredentialsBuilder {
    builder(Dialect::new("plain", "https://login.example/token"))
}

fn builder(dialect: Dialect) -> ClientCredentialsBuilder {
    ClientCredentialsBuilder::new(dialect, id("me")).secret(secret("c4n4ry+s/cret"))
}

pub(crate) fn answer(status: u16, body: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(body.to_owned()));
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

fn with_header(
    mut answer: Response<Full<Bytes>>,
    name: &'static str,
    value: &str,
) -> Response<Full<Bytes>> {
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer
}

/// One attempt against a transport that gives this answer.
pub(crate) async fn ask(
    builder: ClientCredentialsBuilder,
    answer: Response<Full<Bytes>>,
) -> Result<Token, FetchError> {
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer) }
    });
    let fetcher = builder.fetcher(transport).unwrap();
    fetcher.oneshot(TokenRequest::first(now())).await
}

/// The request that a client sends.
pub(crate) async fn sent(builder: ClientCredentialsBuilder) -> Request<Full<Bytes>> {
    let seen = Arc::new(Mutex::new(None));
    let transport = {
        let seen = Arc::clone(&seen);
        service_fn(move |request: Request<Full<Bytes>>| {
            *seen.lock().unwrap() = Some(request);
            async { Ok::<_, Infallible>(answer(200, r#"{"access_token":"abc"}"#)) }
        })
    };
    let fetcher = builder.fetcher(transport).unwrap();
    fetcher.oneshot(TokenRequest::first(now())).await.unwrap();
    seen.lock().unwrap().take().unwrap()
}

/// A request as text: its line, its headers by name, its body.
pub(crate) async fn written(request: Request<Full<Bytes>>) -> String {
    let (head, body) = request.into_parts();
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let body = body.collect().await.unwrap().to_bytes();
    format!(
        "{} {}\n{}\n{}",
        head.method,
        head.uri,
        headers.concat(),
        std::str::from_utf8(&body).unwrap()
    )
}
