use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tower_oauth::testing::Bank;

use crate::wire::{FORM, JSON, all_banks, bankly_form, json, post, send, token_request};

/// Sends a request that the bank must deny, and returns the answer and the reason.
async fn denied(bank: &Bank, request: Request<Full<Bytes>>) -> (Response<Bytes>, String) {
    let before = bank.counters();
    let response = send(request).await.unwrap();
    let after = bank.counters();
    assert_eq!(after.tokens_issued, before.tokens_issued);
    assert_eq!(after.token_denials, before.token_denials + 1);
    assert_eq!(json(&response).get("access_token"), None);
    (response, bank.last_error().unwrap())
}

/// Denied with this status and RFC 6749 error, for a reason that says this.
async fn assert_denied(
    bank: &Bank,
    request: Request<Full<Bytes>>,
    (status, error, says): (u16, &str, &str),
) {
    let (response, reason) = denied(bank, request).await;
    assert!(reason.contains(says), "{}: {reason}", bank.name());
    assert_eq!(response.status(), status, "{}: {reason}", bank.name());
    assert_eq!(json(&response)["error"], error, "{}", bank.name());
}

fn with_header(bank: &Bank, name: HeaderName, value: &'static str) -> Request<Full<Bytes>> {
    let mut request = token_request(bank);
    let value = HeaderValue::from_static(value);
    request.headers_mut().insert(name, value);
    request
}

fn with_body(bank: &Bank, body: &str) -> Request<Full<Bytes>> {
    let mut request = token_request(bank).map(|_| Full::from(body.to_owned()));
    // hyper leaves the length of an empty body out.
    let length = HeaderValue::from(body.len());
    request.headers_mut().insert(header::CONTENT_LENGTH, length);
    request
}

#[tokio::test]
async fn each_bank_takes_exactly_what_its_document_shows() {
    for bank in all_banks().await {
        let response = send(token_request(&bank)).await.unwrap();
        let answer = json(&response);
        let (status, token_type, seconds, scope) = match bank.name() {
            "anbima" => (201, "access_token", 3600, None),
            "avista" => (200, "Bearer", 3600, Some("pix:read pix:write balance:read")),
            "conta-simples" => (200, "Bearer", 1800, None),
            _ => (200, "Bearer", 3600, Some("kyc.document.write boleto.read")),
        };
        assert_eq!(response.status(), status, "{:?}", bank.last_error());
        assert_eq!(response.headers()[header::CONTENT_TYPE], JSON);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer["token_type"], token_type);
        assert_eq!(answer["expires_in"], seconds);
        assert_eq!(answer.get("scope").and_then(|scope| scope.as_str()), scope);
        assert_eq!(answer["access_token"].as_str().unwrap().len(), 1200);
        assert_eq!(bank.counters().tokens_issued, 1);
        assert_eq!(bank.last_error(), None);
    }
}

#[tokio::test]
async fn another_method_path_or_query_is_denied() {
    for bank in all_banks().await {
        let mut put = token_request(&bank);
        *put.method_mut() = Method::PUT;
        let (response, _) = denied(&bank, put).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");

        let mut query = token_request(&bank);
        *query.uri_mut() = format!("{}?grant=x", bank.token_url()).parse().unwrap();
        assert_denied(&bank, query, (400, "invalid_request", "query")).await;

        let mut slash = token_request(&bank);
        *slash.uri_mut() = format!("{}/", bank.token_url()).parse().unwrap();
        let response = send(slash).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(bank.counters().not_found, 1);
    }
}

#[tokio::test]
async fn another_media_type_is_denied() {
    for bank in all_banks().await {
        for other in ["text/plain", "application/json; charset=utf-8"] {
            let request = with_header(&bank, header::CONTENT_TYPE, other);
            assert_denied(&bank, request, (415, "invalid_request", "content-type")).await;
        }
        let request = with_header(&bank, header::ACCEPT, "*/*");
        assert_denied(&bank, request, (406, "invalid_request", "accept")).await;
        let mut none = token_request(&bank);
        none.headers_mut().remove(header::ACCEPT);
        assert_denied(&bank, none, (406, "invalid_request", "accept")).await;
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_denied() {
    for bank in all_banks().await {
        let request = with_header(&bank, header::TRANSFER_ENCODING, "chunked");
        assert_denied(&bank, request, (411, "invalid_request", "content-length")).await;
    }
}

#[tokio::test]
async fn a_header_twice_is_denied() {
    for bank in all_banks().await {
        let mut request = token_request(&bank);
        let accept = HeaderValue::from_static(JSON);
        request.headers_mut().append(header::ACCEPT, accept);
        assert_denied(&bank, request, (400, "invalid_request", "twice")).await;
    }
}

#[tokio::test]
async fn basic_is_demanded_to_the_byte() {
    for bank in [Bank::anbima(), Bank::conta_simples()] {
        let bank = bank.credentials("id+%", "se cret&ü").start().await.unwrap();
        assert!(
            send(token_request(&bank))
                .await
                .unwrap()
                .status()
                .is_success()
        );

        // `id+%:wrong`; `x:se cret&ü`; the form-urlencoded bytes of RFC 6749 §2.3.1, whole and with a wrong secret;
        // another case of the scheme.
        for (sent, says) in [
            ("Basic aWQrJTp3cm9uZw==", "the secret is not the client's"),
            ("Basic eDpzZSBjcmV0JsO8", "the id is not the client's"),
            (
                "Basic aWQlMkIlMjU6c2UlMjBjcmV0JTI2JUMzJUJD",
                "must be as they are",
            ),
            (
                "Basic aWQlMkIlMjU6d3Jvbmc=",
                "the secret is not the client's",
            ),
            ("basic aWQrJTpzZSBjcmV0JsO8", "another scheme"),
            ("Basic id:secret", "not base64"),
        ] {
            let request = with_header(&bank, header::AUTHORIZATION, sent);
            let (response, reason) = denied(&bank, request).await;
            assert!(reason.ends_with(says), "{reason}");
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Basic");
        }
        let mut none = token_request(&bank);
        none.headers_mut().remove(header::AUTHORIZATION);
        assert_denied(&bank, none, (401, "invalid_client", "missing")).await;
    }
}

#[tokio::test]
async fn an_authorization_beside_credentials_in_the_body_is_denied() {
    for bank in [Bank::avista(), Bank::bankly()] {
        let bank = bank.start().await.unwrap();
        let request = with_header(&bank, header::AUTHORIZATION, "Basic YTpi");
        assert_denied(&bank, request, (400, "invalid_request", "authorization")).await;
    }
}

#[tokio::test]
async fn a_field_more_fewer_or_twice_is_denied() {
    let [anbima, avista, conta_simples, bankly] = all_banks().await;
    let bankly_whole = bankly_form(&bankly, "boleto.read");
    for (bank, more, fewer, twice) in [
        (
            &anbima,
            r#"{"grant_type":"client_credentials","scope":"a"}"#.to_owned(),
            "{}",
            r#"{"grant_type":"client_credentials","grant_type":"client_credentials"}"#.to_owned(),
        ),
        (
            &avista,
            r#"{"clientId":"avista-client","clientSecret":"avista-client-secret","grant_type":"client_credentials"}"#.to_owned(),
            r#"{"clientId":"avista-client"}"#,
            r#"{"clientId":"avista-client","clientSecret":"avista-client-secret","clientId":"avista-client"}"#.to_owned(),
        ),
        (
            &conta_simples,
            "grant_type=client_credentials&scope=a".to_owned(),
            "",
            "grant_type=client_credentials&grant_type=client_credentials".to_owned(),
        ),
        (
            &bankly,
            format!("{bankly_whole}&audience=a"),
            "grant_type=client_credentials",
            format!("{bankly_whole}&scope=boleto.read"),
        ),
    ] {
        assert_denied(bank, with_body(bank, &more), (400, "invalid_request", "does not have")).await;
        assert_denied(bank, with_body(bank, fewer), (400, "invalid_request", "lacks")).await;
        assert_denied(bank, with_body(bank, &twice), (400, "invalid_request", "twice")).await;
    }
}

#[tokio::test]
async fn a_wrong_value_has_its_own_error() {
    let [anbima, avista, conta_simples, bankly] = all_banks().await;
    let unsupported = (400, "unsupported_grant_type", "grant type");
    let password = r#"{"grant_type":"password"}"#;
    assert_denied(&anbima, with_body(&anbima, password), unsupported).await;
    let request = with_body(&conta_simples, "grant_type=password");
    assert_denied(&conta_simples, request, unsupported).await;

    let invalid_client = (401, "invalid_client", "credentials");
    let wrong = r#"{"clientId":"avista-client","clientSecret":"wrong-secret"}"#;
    assert_denied(&avista, with_body(&avista, wrong), invalid_client).await;
    let wrong = bankly_form(&bankly, "boleto.read").replace("bankly-client-secret", "wrong");
    assert_denied(&bankly, with_body(&bankly, &wrong), invalid_client).await;
}

#[tokio::test]
async fn json_of_anything_but_strings_is_denied() {
    let [anbima, avista, ..] = all_banks().await;
    for body in [
        "",
        "[]",
        "null",
        r#"{"grant_type":1}"#,
        r#"{"grant_type":"#,
        "grant_type=client_credentials",
    ] {
        let expected = (400, "invalid_request", "JSON object");
        assert_denied(&anbima, with_body(&anbima, body), expected).await;
        assert_denied(&avista, with_body(&avista, body), expected).await;
    }
}

#[tokio::test]
async fn bankly_takes_one_to_ten_scopes_with_one_space_between_them() {
    let bank = Bank::bankly().start().await.unwrap();
    let scopes = |count: usize| vec!["boleto.read"; count].join(" ");
    for good in [scopes(1), scopes(10)] {
        let request = with_body(&bank, &bankly_form(&bank, &good));
        assert_eq!(json(&send(request).await.unwrap())["scope"], *good);
    }
    for bad in [
        &*scopes(11),
        "",
        "a  b",
        " a",
        "a ",
        "a,\"b\"",
        "a\tb",
        "a\nb",
    ] {
        let request = with_body(&bank, &bankly_form(&bank, bad));
        assert_denied(&bank, request, (400, "invalid_scope", "scopes")).await;
    }
}

#[tokio::test]
async fn bankly_grants_no_scope_that_the_client_may_not_have() {
    let bank = Bank::bankly()
        .scopes(["boleto.read"])
        .start()
        .await
        .unwrap();
    let request = with_body(&bank, &bankly_form(&bank, "boleto.read"));
    assert_eq!(send(request).await.unwrap().status(), StatusCode::OK);
    let request = with_body(&bank, &bankly_form(&bank, "boleto.read pix.cob.read"));
    assert_denied(&bank, request, (400, "invalid_scope", "may not have")).await;
}

#[tokio::test]
async fn banklys_certificate_endpoint_denies_every_request_without_tls() {
    let bank = Bank::bankly().start().await.unwrap();
    let url = bank.mtls_token_url().unwrap();
    let form = bankly_form(&bank, "boleto.read");
    let expected = (401, "invalid_client", "certificate must be shown");
    assert_denied(&bank, post(&url, FORM, &form), expected).await;
    assert_eq!(bank.certificates_url(), None);
    assert_eq!(Bank::avista().start().await.unwrap().mtls_token_url(), None);
}
