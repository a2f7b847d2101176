//! A plain HTTP client, and the documented requests of the four banks.

use std::{error::Error, io};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tower_oauth::{BoxError, testing::Bank};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

/// Sends over a connection of its own.
pub(crate) async fn send<B>(request: Request<B>) -> Result<Response<Bytes>, BoxError>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let client = Client::builder(TokioExecutor::new())
        .retry_canceled_requests(false)
        .build_http();
    let (head, body) = client.request(request).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

pub(crate) fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// What became of the connection.
pub(crate) fn io_kind(error: &BoxError) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&**error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

pub(crate) async fn all_banks() -> [Bank; 4] {
    [
        Bank::anbima().start().await.unwrap(),
        Bank::avista().start().await.unwrap(),
        Bank::conta_simples().start().await.unwrap(),
        Bank::bankly().start().await.unwrap(),
    ]
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

/// The request for a token that the bank's document shows.
pub(crate) fn token_request(bank: &Bank) -> Request<Full<Bytes>> {
    token_request_of(bank, bank.client_id(), bank.client_secret())
}

/// The same of any client.
pub(crate) fn token_request_of(bank: &Bank, id: &str, secret: &str) -> Request<Full<Bytes>> {
    let (media_type, body) = match bank.name() {
        "anbima" => (JSON, r#"{"grant_type":"client_credentials"}"#.to_owned()),
        "avista" => (
            JSON,
            format!(r#"{{"clientId":"{id}","clientSecret":"{secret}"}}"#),
        ),
        "conta-simples" => (FORM, "grant_type=client_credentials".to_owned()),
        _ => (
            FORM,
            bankly_form_of(id, secret, "kyc.document.write boleto.read"),
        ),
    };
    let mut request = post(&bank.token_url(), media_type, &body);
    if matches!(bank.name(), "anbima" | "conta-simples") {
        let value = basic(id, secret).parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    request
}

pub(crate) fn bankly_form(bank: &Bank, scope: &str) -> String {
    bankly_form_of(bank.client_id(), bank.client_secret(), scope)
}

fn bankly_form_of(id: &str, secret: &str, scope: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", id)
        .append_pair("client_secret", secret)
        .append_pair("scope", scope)
        .finish()
}

pub(crate) fn post(url: &str, media_type: &str, body: &str) -> Request<Full<Bytes>> {
    Request::post(url)
        .header(header::ACCEPT, JSON)
        .header(header::CONTENT_TYPE, media_type)
        .body(Full::from(body.to_owned()))
        .unwrap()
}

/// A good token's text.
pub(crate) async fn token(bank: &Bank) -> String {
    let response = send(token_request(bank)).await.unwrap();
    json(&response)["access_token"].as_str().unwrap().to_owned()
}

/// A request to the API with a token, attached as the bank wants it.
pub(crate) fn api_request(bank: &Bank, url: &str, token: &str) -> Request<Full<Bytes>> {
    api_request_of(bank, bank.client_id(), url, token)
}

/// The same of any client.
pub(crate) fn api_request_of(
    bank: &Bank,
    id: &str,
    url: &str,
    token: &str,
) -> Request<Full<Bytes>> {
    let request = Request::builder().method(Method::GET).uri(url);
    let request = match bank.name() {
        "anbima" => request
            .header("client_id", id)
            .header("access_token", token),
        _ => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
    };
    request.body(Full::default()).unwrap()
}

/// The status of the API's answer to a token.
pub(crate) async fn api_status(bank: &Bank, token: &str) -> StatusCode {
    let request = api_request(bank, &bank.api_url(), token);
    send(request).await.unwrap().status()
}
