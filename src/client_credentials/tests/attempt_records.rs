//! What a record of an attempt shows, and what it never shows.

use std::{collections::BTreeMap, future::pending};

use super::*;
use crate::{
    BoxError, SecretRef,
    client_credentials::{
        AttemptRecord, BodyEncoding, CredentialPlacement, ParamValue, RecordedValue, ScopeFormat,
    },
    provider,
};

/// The secret of [`builder`], in the encodings of a form and of Basic, and what else is secret in this file.
const SECRETS: [&str; 4] = [
    "c4n4ry",
    "c4n4ry%2Bs%2Fcret",
    "bWU6YzRuNHJ5JTJCcyUyRmNyZXQ=",
    "canary",
];

type Seen = Arc<Mutex<Vec<AttemptRecord>>>;

fn observed(builder: ClientCredentialsBuilder) -> (ClientCredentialsBuilder, Seen) {
    let seen = Seen::default();
    let into = Arc::clone(&seen);
    let observe = move |record: &AttemptRecord| into.lock().unwrap().push(record.clone());
    (builder.on_attempt(observe), seen)
}

/// The one record of an attempt that is answered so.
async fn record(builder: ClientCredentialsBuilder, answer: Response<Full<Bytes>>) -> AttemptRecord {
    let (builder, seen) = observed(builder);
    let _ = ask(builder, answer).await;
    let record = seen.lock().unwrap().pop().unwrap();
    assert!(seen.lock().unwrap().is_empty());
    for text in [record.to_string(), format!("{record:?}")] {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    record
}

fn shown(values: &[RecordedValue]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_good_exchange_as_it_is_printed() {
    let mut dialect = Dialect::new("bank", "https://login.example/token?channel=canary");
    dialect.credentials = CredentialPlacement::Body {
        id: "client_id".into(),
        secret: "client_secret".into(),
    };
    let body =
        r#"{"access_token":"canary","token_type":"Bearer","expires_in":3600,"scope":"read"}"#;
    let answer = with_header(answer(200, body), "set-cookie", "session=canary");
    let record = record(builder(dialect).scopes(["read", "write"]), answer).await;
    assert_eq!(
        record.to_string(),
        r#"* attempt 1
> POST https://login.example/token?channel=[elided]
> accept: application/json
> content-length: 93
> content-type: application/x-www-form-urlencoded
> body: form, 4 fields
>   grant_type: text "client_credentials"
>   client_id: text "me"
>   client_secret: text [elided]
>   scope: text "read write"
< HTTP 200 OK
< set-cookie: [elided]
< body: JSON object
<   access_token: text [elided], 6 characters
<   token_type: text "Bearer"
<   expires_in: number 3600
<   scope: text "read"
"#
    );
    assert_eq!(record.status().unwrap(), 200);
    assert_eq!(record.no_answer(), None);
    assert_eq!(record.request_fields()[2].text, None);
    assert_eq!(record.answer_members()[0].length, Some(6));
}

#[tokio::test]
async fn secret_headers_and_fields_are_elided() {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.body = BodyEncoding::Json;
    let secret_param = ParamValue::from(secret("canary-param"));
    let client = builder(dialect)
        .token_param("otp", secret_param)
        .token_param("audience", "payments")
        .token_param("api_key", "canary: somebody wrote it into the file")
        .token_header("x-pin", secret("canary-pin"))
        .token_header("x-api-key", "canary")
        .token_header("x-version", "2");
    let record = record(client, answer(401, "")).await;
    let headers = shown(record.request_headers());
    for header in [
        r#"authorization: text "Basic [elided]""#,
        "x-pin: text [elided]",
        "x-api-key: text [elided]",
        r#"x-version: text "2""#,
    ] {
        assert!(headers.contains(&header.to_owned()), "{headers:?}");
    }
    assert_eq!(
        shown(record.request_fields()),
        [
            r#"grant_type: text "client_credentials""#,
            "api_key: text [elided]",
            r#"audience: text "payments""#,
            "otp: text [elided]",
        ]
    );
    assert!(
        record
            .to_string()
            .ends_with("< HTTP 401 Unauthorized\n< no body\n")
    );
}

#[tokio::test]
async fn a_text_that_could_be_a_token_is_elided() {
    let body = r#"{
        "access_token": "canary",
        "refresh_token": "canary",
        "id_token": ["canary", {"deep": "canary"}],
        "accessTokenV2": 4711,
        "data": {"jwt": "canary"},
        "opaque": "abcdefghijklmnopqrst-canary",
        "sentence": "it is abcdefghijklmnopqrst:canary, see?",
        "echo": "it was canary",
        "canary": "x",
        "expires_in": "2030-01-31T11:29:32-03:00",
        "issued": "2030-01-31T10:29:32-03:00",
        "plan": "gold",
        "active": true,
        "nothing": null
    }"#;
    let answer = with_header(answer(200, body), "x-echo", "it was canary");
    let answer = with_header(
        answer,
        "x-request-id",
        "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    );
    let record = record(plain(), answer).await;
    assert_eq!(
        shown(record.answer_members()),
        [
            "access_token: text [elided], 6 characters",
            "refresh_token: text [elided], 6 characters",
            "id_token: array [elided]",
            "id_token[0]: text [elided], 6 characters",
            "id_token[1]: object [elided]",
            "id_token[1].deep: text [elided], 6 characters",
            "accessTokenV2: number [elided]",
            "data: object",
            "data.jwt: text [elided], 6 characters",
            r#"opaque: text "[elided]""#,
            r#"sentence: text "it is [elided] see?""#,
            r#"echo: text "it was [elided]""#,
            r#"[elided]: text "x""#,
            r#"expires_in: text "2030-01-31T11:29:32-03:00""#,
            r#"issued: text "2030-01-31T10:29:32-03:00""#,
            r#"plan: text "gold""#,
            "active: boolean true",
            "nothing: null",
        ]
    );
    assert_eq!(
        shown(record.answer_headers()),
        [
            r#"x-echo: text "it was [elided]""#,
            r#"x-request-id: text "1b4e28ba-2fa1-11d2-883f-0016d3cca427""#,
        ]
    );
}

#[tokio::test]
async fn the_dialects_own_names_count() {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.response.token = "valor".into();
    dialect.response.extras = vec!["outro".into()];
    dialect.response.expiry = "key_until".into();
    let body = r#"{"valor":"canary","outro":{"a":"canary"},"key_until":"60"}"#;
    let record = record(builder(dialect), answer(200, body)).await;
    assert_eq!(
        shown(record.answer_members()),
        [
            "valor: text [elided], 6 characters",
            "outro: object [elided]",
            "outro.a: text [elided], 6 characters",
            r#"key_until: text "60""#,
        ]
    );
}

#[tokio::test]
async fn a_denial_says_what_it_says_but_for_secrets() {
    let body = r#"{"error":"unsupported_grant_type","error_description":"no c4n4ry+s/cret, no c4n4ry%2Bs%2Fcret\u001b[2J",
        "errors":[{"code":"LIMIT_EXCEEDED_FOR_CLIENT","at":"abcdefghij0123456789"}]}"#;
    let record = record(plain(), answer(400, body)).await;
    assert_eq!(
        shown(record.answer_members()),
        [
            r#"error: text "unsupported_grant_type""#,
            r#"error_description: text "no [elided], no [elided]\u{1b}[2J""#,
            "errors: array",
            "errors[0]: object",
            r#"errors[0].at: text "[elided]""#,
            r#"errors[0].code: text "LIMIT_EXCEEDED_FOR_CLIENT""#,
        ]
    );
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_shown_only_as_an_error() {
    let hidden =
        |bytes, why| format!("< body: not a JSON object, {bytes} bytes, not shown: {why}\n");
    for (status, body, end) in [
        (200, "canary", hidden(6, "it could be a token")),
        (200, "[\"canary\"]", hidden(10, "it could be a token")),
        (
            400,
            "access_token=canary",
            hidden(19, "it speaks of tokens"),
        ),
        (
            400,
            "<title>No required SSL certificate was sent</title>\r\n<hr>",
            "< body: not a JSON object\n\
             <   <title>No required SSL certificate was sent</title>\n\
             <   <hr>\n"
                .into(),
        ),
        (
            403,
            "no c4n4ry+s/cret \x1b]0;x\x07",
            "< body: not a JSON object\n<   no [elided] \\u{1b}]0;x\\u{7}\n".into(),
        ),
    ] {
        let text = record(plain(), answer(status, body)).await.to_string();
        assert!(text.ends_with(&end), "{text}");
    }
}

#[tokio::test]
async fn a_redirect_says_where_to_without_the_querys_values() {
    let place = "https://elsewhere.example/login?token=canary&x";
    let answer = with_header(answer(302, ""), "location", place);
    let record = record(plain(), answer).await;
    assert_eq!(
        shown(record.answer_headers()),
        [r#"location: text "https://elsewhere.example/login?token=[elided]&[elided]""#]
    );
}

#[tokio::test]
async fn a_body_that_is_not_utf_8_is_searched_for_secrets_too() {
    let mut bytes = br#"{"error":"invalid_client","error_description":"c4n4ry- no"}"#.to_vec();
    bytes[53] = 0xe9; // `é` in ISO-8859-1
    let mut answer = Response::new(Full::from(bytes));
    *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
    let client = plain().secret(secret("c4n4ryé"));
    let record = record(client, answer).await;
    assert_eq!(
        shown(record.answer_members())[1],
        r#"error_description: text "[elided] no""#
    );
}

#[tokio::test]
async fn much_is_cut() {
    let members: BTreeMap<_, _> = (0..100)
        .map(|it| (format!("{it}"), "é ".repeat(200)))
        .collect();
    let body = serde_json::to_string(&members).unwrap();
    let record = record(plain(), answer(400, &body)).await;
    let members = record.answer_members();
    assert_eq!(members.len(), 64);
    assert_eq!(members[0].length, Some(400));
    assert_eq!(members[0].text.as_ref().unwrap().chars().count(), 257);
}

#[tokio::test]
async fn a_transports_error_is_shown_with_its_causes() {
    let (builder, seen) = observed(plain());
    let transport = service_fn(async |_: Request<Full<Bytes>>| {
        let cause = std::io::Error::other("c4n4ry+s/cret was rejected");
        Err::<Response<Full<Bytes>>, BoxError>(cause.into())
    });
    let fetcher = builder.fetcher(transport).unwrap();
    let result = fetcher.oneshot(TokenRequest::first(now())).await;
    assert!(result.is_err());
    let record = seen.lock().unwrap().pop().unwrap();
    assert_eq!(record.status(), None);
    let why = record.no_answer().unwrap();
    assert!(why.ends_with(": [elided] was rejected"), "{why}");
    assert!(
        record
            .to_string()
            .ends_with(&format!("* no answer: {why}\n"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_given_up_has_a_record() {
    let (builder, seen) = observed(plain());
    let transport = service_fn(async |_: Request<Full<Bytes>>| {
        pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    });
    let source = builder.build(transport).unwrap();
    assert!(source.token().await.is_err());
    let records = seen.lock().unwrap();
    let attempts: Vec<_> = records.iter().map(AttemptRecord::attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(
        records[0].no_answer(),
        Some("the attempt was given up before an answer came")
    );
}

#[test]
fn the_builders_debug_does_not_need_the_function() {
    let (builder, _) = observed(plain());
    assert!(format!("{builder:?}").contains("Observer"));
}

#[tokio::test]
async fn every_presets_request_is_shown_without_its_secret() {
    let secret = || secret("canary-secret-x");
    for client in [
        provider::anbima::sandbox(id("me"), secret()),
        provider::avista::production(id("me"), secret()),
        provider::conta_simples::sandbox(id("me"), secret()),
        provider::bankly::sandbox(id("me"), secret()).scopes(["boleto.read"]),
        builder(Dialect::new("bank", "https://login.example/token"))
            .token_header("x-key", SecretRef::Env("PATH".into())),
    ] {
        let path = std::env::var("PATH").unwrap();
        let record = record(client, answer(200, r#"{"access_token":"canary"}"#)).await;
        assert!(!format!("{record:?}").contains(&path));
        assert!(record.request_headers().len() >= 3, "{record}");
    }
}

#[tokio::test]
async fn a_list_is_no_text() {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.body = BodyEncoding::Json;
    dialect.scope.format = ScopeFormat::JsonArray;
    let record = record(builder(dialect).scopes(["read"]), answer(401, "")).await;
    let fields = shown(record.request_fields());
    assert_eq!(fields.last().unwrap(), r#"scope: array ["read"]"#);
}

/// What the reader of tokens takes off a token, and whatever else is done to it, hides it nowhere in its answer.
#[tokio::test]
async fn a_token_is_elided_however_its_answer_writes_it() {
    for body in [
        r#"{"access_token":" canary ","scope":"canary"}"#,
        r#"{"access_token":"x-canary-1\n","error":"","scope":"x%2dcanary-1"}"#,
        r#"{"access_token":"x-canary-1","token_type":"x\\u002dcanary-1"}"#,
    ] {
        record(plain(), answer(200, body)).await;
    }
    for body in [
        "<r><AccessToken>canary</AccessToken></r>",
        "access-token: canary",
        "{\"x\":\"a\nb\",\"token\":\"canary\"}",
        "{\"x\":1e400,\"access\\u005ftoken\":\"canary\"}",
        "{\"x\":NaN,\"jwt\":\"canary\",\"error\":\"invalid_client\"}",
    ] {
        record(plain(), answer(401, body)).await;
    }
}
