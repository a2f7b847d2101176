//! Secrets that a server repeats, in any notation, are elided.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tower::{ServiceExt, service_fn};
use tower_oauth::{
    ClientId, ClientSecret, FetchError, TokenRequest,
    client_credentials::{BodyEncoding, ClientCredentialsBuilder, CredentialPlacement, Dialect},
};

use crate::{config, requests::credentials, run};

/// How a request carries its secret, and the text before and after it.
struct Sent {
    placement: CredentialPlacement,
    body: BodyEncoding,
    before: &'static str,
    after: &'static str,
}

fn in_the_body() -> CredentialPlacement {
    CredentialPlacement::Body {
        id: "id".into(),
        secret: "secret".into(),
    }
}

fn every_way_to_send() -> [Sent; 4] {
    [
        Sent {
            placement: in_the_body(),
            body: BodyEncoding::Form,
            before: "grant_type=client_credentials&id=me&secret=",
            after: "",
        },
        Sent {
            placement: in_the_body(),
            body: BodyEncoding::Json,
            before: r#"{"grant_type":"client_credentials","id":"me","secret":""#,
            after: r#""}"#,
        },
        Sent {
            placement: CredentialPlacement::BasicRaw,
            body: BodyEncoding::Form,
            before: "Basic ",
            after: "grant_type=client_credentials",
        },
        Sent {
            placement: CredentialPlacement::BasicEncoded,
            body: BodyEncoding::Json,
            before: "Basic ",
            after: r#"{"grant_type":"client_credentials"}"#,
        },
    ]
}

/// How a server, or a gateway before it, writes what it repeats.
const REPEATED: [fn(&str) -> String; 5] = [
    |sent| sent.to_owned(),
    |sent| percent_encoded(sent, |byte| format!("%{byte:02X}")),
    |sent| percent_encoded(sent, |byte| format!("%{byte:02x}")),
    |sent| {
        sent.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&#34;")
    },
    |sent| {
        sent.replace('\\', r"\\")
            .replace('"', "\\\"")
            .replace('/', r"\/")
    },
];

fn percent_encoded(text: &str, encoded: fn(u8) -> String) -> String {
    let encode = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => encoded(byte),
    };
    text.bytes().map(encode).collect()
}

/// JSON of a server that escapes all that it may.
fn escaped(text: &str) -> String {
    let unit = |unit: u16| format!("\\u{unit:04x}");
    text.encode_utf16().map(unit).collect()
}

async fn sent(request: Request<Full<Bytes>>) -> String {
    let authorization = request.headers().get(AUTHORIZATION);
    let authorization = authorization.map_or("", |it| it.to_str().unwrap());
    let mut sent = authorization.to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    sent += std::str::from_utf8(&body).unwrap();
    sent
}

/// The error of a client whose server repeats the whole request.
fn repeated(way: &Sent, secret: &str, repeat: fn(&str) -> String) -> FetchError {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    (dialect.credentials, dialect.body) = (way.placement.clone(), way.body);
    let transport = service_fn(move |request: Request<Full<Bytes>>| async move {
        let text = escaped(&repeat(&sent(request).await));
        let body = format!(r#"{{"error":"{text}","error_description":"{text}"}}"#);
        let mut answer = Response::new(Full::<Bytes>::from(body));
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        Ok::<_, Infallible>(answer)
    });
    let fetcher = ClientCredentialsBuilder::new(dialect, ClientId::new("me").unwrap())
        .secret(ClientSecret::new(secret))
        .fetcher(transport)
        .unwrap();
    run(fetcher.oneshot(TokenRequest::first(std::time::UNIX_EPOCH))).unwrap_err()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_repeated_secret_is_elided(
        secret in credentials().prop_filter("unlike the rest", |it| it.chars().count() > 8),
        repeat in prop::sample::select(REPEATED.to_vec()),
    ) {
        for way in every_way_to_send() {
            let error = repeated(&way, &secret, repeat);
            let expected = [&repeat(way.before), "[elided]", &repeat(way.after)].concat();
            // Which shows no long word at all, whatever it is.
            let description = error.description().unwrap_or_default();
            prop_assert!(!description.contains(&secret), "{description}");

            let visible = expected.chars().filter(char::is_ascii_graphic);
            let code: String = visible.take(64).collect();
            prop_assert_eq!(error.code(), Some(code.as_str()));
        }
    }
}
