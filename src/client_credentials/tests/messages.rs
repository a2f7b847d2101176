//! What the messages of failed answers say, and what they keep to themselves.

use super::*;
use crate::{FailureClass, FetchErrorKind, client_credentials::CredentialPlacement};

async fn failure(answer: Response<Full<Bytes>>) -> FetchError {
    ask(plain(), answer).await.unwrap_err()
}

#[tokio::test]
async fn no_token_endpoint_at_this_url_says_where() {
    for status in [404, 405, 410] {
        let error = failure(answer(status, "<html>")).await;
        assert_eq!(error.class(), FailureClass::Permanent, "{status}");
        assert_eq!(error.advice(), Some("Check the token URL"), "{status}");
        let message =
            "token request denied: there is no token endpoint at this path of login.example:443";
        assert_eq!(error.to_string(), format!("{message} (HTTP {status})"));
    }
    // The code says more than the status.
    let error = failure(answer(404, r#"{"error":"invalid_client"}"#)).await;
    assert_eq!(
        error.to_string(),
        "token request denied: invalid_client (HTTP 404)"
    );
}

/// What the advice of an answer names, and what it would be wrong to name.
#[tokio::test]
async fn advice_fits_the_cause() {
    let of = |code: &str| format!(r#"{{"error":"{code}"}}"#);
    let by_certificate = || {
        let mut dialect = Dialect::new("certificate", "https://login.example/token");
        dialect.credentials = CredentialPlacement::IdOnly {
            id: "client_id".into(),
        };
        ClientCredentialsBuilder::new(dialect, id("me"))
    };
    for (builder, status, body, names, never) in [
        (plain(), 401, of("invalid_client"), "secret", "certificate"),
        (
            by_certificate(),
            401,
            of("invalid_client"),
            "client certificate",
            "secret",
        ),
        (
            by_certificate(),
            401,
            "".into(),
            "client certificate",
            "secret",
        ),
        (
            by_certificate(),
            403,
            "".into(),
            "client certificate",
            "secret",
        ),
        (plain(), 400, of("unauthorized_client"), "grant", "secret"),
        (plain(), 400, of("invalid_scope"), "scopes", "secret"),
        (
            plain(),
            400,
            of("unsupported_grant_type"),
            "`grant`",
            "secret",
        ),
        (
            plain(),
            400,
            of("invalid_target"),
            "`token_params`",
            "secret",
        ),
        (plain(), 400, of("invalid_request"), "`basic_raw`", "secret"),
        (
            plain(),
            400,
            of("invalid_request"),
            "`token_params`",
            "scopes",
        ),
        (plain(), 415, of("invalid_request"), "`body`", "secret"),
        (plain(), 400, "".into(), "`credentials`", "scopes"),
        (plain(), 422, "".into(), "`body`", "scopes"),
        (plain(), 401, "".into(), "`credentials`", "scopes"),
        (plain(), 403, "".into(), "too many", "scopes"),
        (plain(), 404, "".into(), "token URL", "secret"),
        (plain(), 405, "".into(), "token URL", "secret"),
        (plain(), 429, "".into(), "other processes", "secret"),
        (plain(), 400, of("slow_down"), "other processes", "secret"),
        (plain(), 500, "".into(), "nothing to fix", "secret"),
        (
            plain(),
            503,
            "<html>".into(),
            "nothing to fix",
            "certificate",
        ),
        (plain(), 400, of("server_error"), "nothing to fix", "secret"),
        (plain(), 302, "".into(), "token URL", "secret"),
    ] {
        let error = ask(builder, answer(status, &body)).await.unwrap_err();
        let advice = error.advice().unwrap();
        assert!(advice.contains(names), "{status} {body}: {advice}");
        assert!(!advice.contains(never), "{status} {body}: {advice}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_where_to() {
    for status in [301, 302, 303, 307, 308] {
        let to = "https://Evil.example/c4n4ry?c4n4ry#c4n4ry";
        let error = failure(with_header(answer(status, ""), "location", to)).await;
        assert_eq!(error.class(), FailureClass::Unclear);
        assert_eq!(error.kind(), FetchErrorKind::Malformed);
        let message = "the answer is a redirect to https://evil.example, which is never followed";
        assert_eq!(error.to_string(), format!("{message} (HTTP {status})"));
    }
}

#[tokio::test]
async fn a_redirect_to_no_origin_quotes_nothing() {
    for to in [
        "/c4n4ry",
        "https://c4n4ry@evil.example/",
        "mailto:c4n4ry",
        "https://c4n4ry.example:99999/",
        "",
        "c4n4ry é",
    ] {
        let error = failure(with_header(answer(302, ""), "location", to)).await;
        assert_eq!(
            error.to_string(),
            "the answer is a redirect, which is never followed (HTTP 302)",
            "{to}"
        );
    }
    let echo = "https://k3y.evil.example/";
    let echo = with_header(answer(302, ""), "location", echo);
    let builder = plain().token_param("key", secret("k3y"));
    let error = ask(builder, echo).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("k3y"), "{error}");
}

#[tokio::test]
async fn a_description_is_shown_with_every_secret_elided() {
    let body = r#"{
        "error": "c4n4ry+s/cret",
        "error_description": "c4n4ry+s/cret c4n4ry%2Bs%2Fcret bWU6YzRuNHJ5JTJCcyUyRmNyZXQ= k3y is wrong"
    }"#;
    let builder = plain().token_param("key", secret("k3y"));
    let error = ask(builder, answer(400, body)).await.unwrap_err();
    assert_eq!(
        error.description(),
        Some("[elided] [elided] [elided] [elided] is wrong")
    );
    assert_eq!(error.code(), Some("[elided]"));
    assert_eq!(
        error.to_string(),
        "token request denied: [elided] (HTTP 400): \"[elided] [elided] [elided] [elided] is wrong\""
    );
}

#[tokio::test]
async fn a_description_is_one_line_without_tokens() {
    for (said, shown) in [
        ("client secret is expired", Some("client secret is expired")),
        ("two\\r\\nlines \\u001b[2J", Some("two lines [2J")),
        // A secret with something invisible in it, and one that is cut in two by what is visible.
        ("c4n4ry\\u200b+s/cret", Some("[elided]")),
        ("c4n4ry+s/\\u0000cret", Some("[elided]")),
        (
            "token eyJhbGciOiJIUzI1NiJ9.e30.x is old",
            Some("token [elided] is old"),
        ),
        ("", None),
        ("\\u200b", None),
    ] {
        let body = format!(r#"{{"error":"x","error_description":"{said}"}}"#);
        let error = failure(answer(400, &body)).await;
        assert_eq!(error.description(), shown, "{said}");
    }
}

/// Some servers want a key in the token URL's query.
#[test]
fn the_debug_of_a_fetcher_shows_no_path_and_no_query() {
    let url = "https://login.example:8443/c4n4ry?key=c4n4ry";
    let transport =
        service_fn(|_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(answer(200, "")) });
    let fetcher = builder(Dialect::new("bank", url))
        .fetcher(transport)
        .unwrap();
    let shown = format!("{fetcher:?}");
    assert!(shown.contains("login.example:8443"), "{shown}");
    assert!(!shown.contains("c4n4ry"), "{shown}");
}
