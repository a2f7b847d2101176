//! What lies beside a good token, or around it, and must not spoil it.

use super::*;
use crate::{FailureClass, client_credentials::ExpiryFormat, token::Life};

/// Members that the crate does not use.
const STRANGE: [&[u8]; 12] = [
    b"\"Credencial inv\xe1lida\"",
    b"\"\xff\xfe\0\x01\r\n\t\"",
    br#""\ud83d \udca9 \x41 \' \u00""#,
    b"1e400",
    b"-1e-400",
    b"NaN",
    b"12345678901234567890123456789012345678901234567890.5",
    b"[[[[{\"a\":\"]}\"}]]]]",
    br#"{"access_token":"inner","error":"inner","expires_in":0}"#,
    b"\"\xef\xbb\xbf\"",
    b"true",
    b"\"\"",
];

fn bytes(status: u16, parts: &[&[u8]]) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(parts.concat()));
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

async fn token(answer: Response<Full<Bytes>>) -> Token {
    ask(plain(), answer).await.unwrap()
}

#[tokio::test]
async fn a_strange_member_spoils_no_token() {
    let strange = STRANGE.iter().copied().map(<[u8]>::to_vec);
    let deep = [b"[".repeat(20_000), b"]".repeat(20_000)].concat();
    for strange in strange.chain([b"9".repeat(400), deep]) {
        for name in [
            &b"\"x\""[..],
            b"\"\xe9\"",
            b"\"\\ud800\"",
            b"\"error_description\"",
            b"\"scope\"",
            b"\"token_type\"",
        ] {
            let first = bytes(
                200,
                &[
                    b"{",
                    name,
                    b":",
                    &strange,
                    br#","access_token":"abc","expires_in":3600}"#,
                ],
            );
            let last = bytes(
                200,
                &[
                    br#"{"access_token":"abc","expires_in":3600,"#,
                    name,
                    b":",
                    &strange,
                    b"}",
                ],
            );
            for answer in [first, last] {
                let token = token(answer).await;
                let case = String::from_utf8_lossy(&strange);
                assert_eq!(token.expose(), "abc", "{case:.100}");
                assert_eq!(
                    token.life(),
                    Life::For(Duration::from_secs(3600)),
                    "{case:.100}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_strange_member_spoils_no_code() {
    for strange in STRANGE {
        for name in [&b"\"error_description\""[..], b"\"error_uri\"", b"\"\xe9\""] {
            let answer = bytes(
                401,
                &[br#"{"error":"invalid_client","#, name, b":", strange, b"}"],
            );
            let error = ask(plain(), answer).await.unwrap_err();
            let case = String::from_utf8_lossy(strange);
            assert_eq!(error.code(), Some("invalid_client"), "{case}");
            assert_eq!(error.class(), FailureClass::Permanent, "{case}");
        }
    }
}

#[tokio::test]
async fn a_byte_order_mark_and_white_space_are_nothing() {
    let good = br#"{"access_token":"abc"}"#;
    for before in [&b"\xef\xbb\xbf"[..], b"\xef\xbb\xbf\r\n ", b"\n", b""] {
        assert_eq!(
            token(bytes(200, &[before, good, b"\r\n"])).await.expose(),
            "abc"
        );
    }
    let denied = bytes(400, &[b"\xef\xbb\xbf", br#"{"error":"invalid_client"}"#]);
    let error = ask(plain(), denied).await.unwrap_err();
    assert_eq!(error.code(), Some("invalid_client"));
}

#[tokio::test]
async fn a_content_coding_that_is_not_there_is_nothing() {
    for coding in ["gzip", "deflate", "br", "identity", "Identity", "utf-8", ""] {
        let good = answer(200, r#"{"access_token":"abc"}"#);
        let good = with_header(good, "content-encoding", coding);
        assert_eq!(token(good).await.expose(), "abc", "{coding}");
    }
}

#[tokio::test]
async fn an_empty_error_is_none() {
    for empty in [r#""""#, r#"" ""#, "false", "null", "0", "[]", "{}", "[ ]"] {
        let body = |rest: &str| format!(r#"{{"error":{empty}{rest}}}"#);
        let good = answer(
            200,
            &body(r#","error_description":"","access_token":"abc""#),
        );
        assert_eq!(token(good).await.expose(), "abc", "{empty}");

        let error = ask(plain(), answer(200, &body(""))).await.unwrap_err();
        assert!(
            error.to_string().contains("`access_token` is missing"),
            "{empty}: {error}"
        );
        let error = ask(plain(), answer(400, &body(r#","access_token":"abc""#))).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), None, "{empty}");
        assert!(error.advice().is_some(), "{empty}");
    }
}

#[tokio::test]
async fn an_empty_error_may_be_written_as_a_text() {
    for empty in ["null", "false", "0", " false "] {
        let good = format!(r#"{{"error":"{empty}","access_token":"abc"}}"#);
        assert_eq!(token(answer(200, &good)).await.expose(), "abc", "{empty}");
    }
}

#[tokio::test]
async fn an_error_that_says_something_is_one() {
    for (error, code) in [
        (r#""x""#, Some("x")),
        (r#"" invalid_scope\n""#, Some("invalid_scope")),
        ("4012", Some("4012")),
        ("true", None),
        ("[0]", None),
        (r#"{"code":5}"#, None),
    ] {
        let body = format!(r#"{{"error":{error},"access_token":"abc"}}"#);
        let denied = ask(plain(), answer(200, &body)).await.unwrap_err();
        assert_eq!(denied.code(), code, "{error}");
        assert!(denied.to_string().contains("denied"), "{denied}");
    }
}

#[tokio::test]
async fn an_errors_members_may_have_other_names() {
    let mut dialect = Dialect::new("names", "https://login.example/token");
    dialect.response.error = "codigo".into();
    dialect.response.error_description = "mensagem".into();
    dialect.failures = vec![crate::client_credentials::FailureRow {
        status: 400,
        error: Some("4012".into()),
        class: FailureClass::Transient,
        attempts: None,
    }];
    let body = r#"{"codigo":4012,"mensagem":"c4n4ry+s/cret: tente mais tarde","error":"no"}"#;
    let error = ask(builder(dialect.clone()), answer(400, body))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("4012"));
    assert_eq!(error.description(), Some("[elided]: tente mais tarde"));
    assert_eq!(error.class(), FailureClass::Transient);

    let good = answer(200, r#"{"codigo":0,"error":"no","access_token":"abc"}"#);
    assert_eq!(ask(builder(dialect), good).await.unwrap().expose(), "abc");
}

#[tokio::test]
async fn white_space_around_a_token_is_cut_off() {
    let mut dialect = Dialect::new("blanks", "https://login.example/token");
    dialect.response.extras = vec!["jwt".into()];
    for around in [
        r"\n", r"\r\n", " ", r"\t", r"\u00a0", r"\u2028", "\n", "\r\n ",
    ] {
        let body = format!(r#"{{"access_token":"{around}abc{around}","jwt":"xyz{around}"}}"#);
        let token = ask(builder(dialect.clone()), answer(200, &body))
            .await
            .unwrap();
        assert_eq!(token.expose(), "abc", "{around:?}");
        assert_eq!(token.extra("jwt"), Some("xyz"), "{around:?}");

        let inside = format!(r#"{{"access_token":"ab{around}c","jwt":"x"}}"#);
        let inside = ask(builder(dialect.clone()), answer(200, &inside)).await;
        assert_eq!(inside.is_ok(), around == " ", "{around:?}");
    }
}

#[tokio::test]
async fn an_expiry_that_cannot_be_read_costs_the_expiry() {
    let mut dialect = Dialect::new("unread", "https://login.example/token");
    let default = Duration::from_secs(1800);
    dialect.default_lifetime = Some(default);
    for format in [
        ExpiryFormat::Auto,
        ExpiryFormat::Seconds,
        ExpiryFormat::Milliseconds,
        ExpiryFormat::EpochSeconds,
        ExpiryFormat::Rfc3339,
        ExpiryFormat::LocalTime {
            utc_offset_minutes: 0,
        },
    ] {
        dialect.response.expiry_format = format;
        for stated in [
            r#""""#,
            r#""soon""#,
            "1e30",
            "1e400",
            "true",
            "[3600]",
            "{}",
            r#""\ud800""#,
        ] {
            let body = format!(r#"{{"access_token":"abc","expires_in":{stated}}}"#);
            let read = ask(plain(), answer(200, &body)).await.unwrap();
            assert_eq!(read.life(), Life::Unstated, "{stated}");
            let read = ask(builder(dialect.clone()), answer(200, &body))
                .await
                .unwrap();
            assert_eq!(read.life(), Life::For(default), "{format:?} {stated}");
        }
    }
}

#[tokio::test]
async fn a_type_that_says_nothing_of_a_proof_is_ignored() {
    for stated in [
        r#""Bearer""#,
        r#""access_token""#,
        r#""N_A""#,
        r#""jwt""#,
        "7",
        "null",
        "\"\"",
    ] {
        let body = format!(r#"{{"access_token":"abc","token_type":{stated}}}"#);
        assert_eq!(token(answer(200, &body)).await.expose(), "abc", "{stated}");
    }
}
