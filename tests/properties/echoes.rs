//! Secrets that a server repeats, however it writes them, are struck out of what is shown.

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

/// How a request says its secret, and what it says before and after it.
struct Told {
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

fn every_way_to_tell() -> [Told; 4] {
    [
        Told {
            placement: in_the_body(),
            body: BodyEncoding::Form,
            before: "grant_type=client_credentials&id=me&secret=",
            after: "",
        },
        Told {
            placement: in_the_body(),
            body: BodyEncoding::Json,
            before: r#"{"grant_type":"client_credentials","id":"me","secret":""#,
            after: r#""}"#,
        },
        Told {
            placement: CredentialPlacement::BasicRaw,
            body: BodyEncoding::Form,
            before: "Basic ",
            after: "grant_type=client_credentials",
        },
        Told {
            placement: CredentialPlacement::BasicEncoded,
            body: BodyEncoding::Json,
            before: "Basic ",
            after: r#"{"grant_type":"client_credentials"}"#,
        },
    ]
}

/// How a server, or a gateway before it, writes what it repeats.
const REPEATED: [fn(&str) -> String; 5] = [
    |told| told.to_owned(),
    |told| percent_encoded(told, |byte| format!("%{byte:02X}")),
    |told| percent_encoded(told, |byte| format!("%{byte:02x}")),
    |told| {
        told.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&#34;")
    },
    |told| {
        told.replace('\\', r"\\")
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

async fn told(request: Request<Full<Bytes>>) -> String {
    let authorization = request.headers().get(AUTHORIZATION);
    let authorization = authorization.map_or("", |it| it.to_str().unwrap());
    let mut told = authorization.to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    told += std::str::from_utf8(&body).unwrap();
    told
}

/// The error of a client whose server repeats all that it was told.
fn repeated(way: &Told, secret: &str, repeat: fn(&str) -> String) -> FetchError {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    (dialect.credentials, dialect.body) = (way.placement.clone(), way.body);
    let transport = service_fn(move |request: Request<Full<Bytes>>| async move {
        let text = escaped(&repeat(&told(request).await));
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
    fn a_repeated_secret_is_struck_out(
        secret in credentials().prop_filter("unlike the rest", |it| it.chars().count() > 8),
        repeat in prop::sample::select(REPEATED.to_vec()),
    ) {
        for way in every_way_to_tell() {
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
