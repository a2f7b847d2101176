//! Over TLS: who is let in, what Bankly's certificate endpoint takes, and how such a certificate is come by.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustls::ClientConfig;
use serde_json::json;
use tower_oauth::{
    BoxError,
    testing::{Authority, Bank, Identity, Tls},
};

use crate::{
    support::{presets::BANKS, tls::rustls_config},
    wire::{
        FORM, JSON, api_request, api_request_of, bankly_form, json, post, token_request,
        token_request_of,
    },
};

/// A client that trusts the authority, and shows a certificate or none.
struct Visitor {
    config: ClientConfig,
}

impl Visitor {
    fn new(authority: &Authority, shown: Option<&Identity>) -> Self {
        Self {
            config: rustls_config(authority, shown, rustls::ALL_VERSIONS),
        }
    }

    /// Sends over a connection of its own.
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, BoxError> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.config.clone())
            .https_only()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let (head, body) = client.request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    async fn token(&self, request: Request<Full<Bytes>>) -> String {
        let response = self.send(request).await.unwrap();
        json(&response)["access_token"].as_str().unwrap().to_owned()
    }

    async fn api_status(&self, bank: &Bank, token: &str) -> StatusCode {
        let request = api_request(bank, &bank.api_url(), token);
        self.send(request).await.unwrap().status()
    }
}

/// The client's error, with all its causes.
fn complaint(result: Result<Response<Bytes>, BoxError>) -> String {
    format!("{:?}", result.unwrap_err())
}

/// The documented request, with the certificate in place of the secret.
fn token_request_by_certificate(bank: &Bank) -> Request<Full<Bytes>> {
    let form = bankly_form(bank, "boleto.read");
    let form = form.replace("&client_secret=bankly-client-secret", "");
    post(&bank.mtls_token_url().unwrap(), FORM, &form)
}

fn certificate_request(bank: &Bank, token: &str, body: &serde_json::Value) -> Request<Full<Bytes>> {
    let url = bank.certificates_url().unwrap();
    let mut request = post(&url, JSON, &body.to_string());
    let headers = request.headers_mut();
    headers.insert("api-version", "1".parse().unwrap());
    let token = format!("Bearer {token}").parse().unwrap();
    headers.insert(header::AUTHORIZATION, token);
    request
}

async fn bankly(authority: &Authority) -> Bank {
    let tls = Tls::new(authority).unwrap().client_certificate_optional();
    Bank::bankly().tls(tls).start().await.unwrap()
}

#[tokio::test]
async fn every_bank_accepts_a_client_with_a_valid_certificate() {
    let authority = Authority::new().unwrap();
    let visitor = Visitor::new(&authority, Some(&authority.client("me").unwrap()));
    for builder in [
        Bank::anbima(),
        Bank::avista(),
        Bank::conta_simples(),
        Bank::bankly(),
    ] {
        let tls = Tls::new(&authority).unwrap();
        let bank = builder.tls(tls).start().await.unwrap();
        let token = visitor.token(token_request(&bank)).await;
        assert_eq!(visitor.api_status(&bank, &token).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn every_bank_has_many_clients_over_tls_too() {
    let authority = Authority::new().unwrap();
    let visitor = Visitor::new(&authority, Some(&authority.client("me").unwrap()));
    for builder in BANKS {
        let bank = builder().client("ana", "secret");
        let bank = bank.tls(Tls::new(&authority).unwrap());
        let bank = bank.start().await.unwrap();
        let token = visitor
            .token(token_request_of(&bank, "ana", "secret"))
            .await;
        let request = api_request_of(&bank, "ana", &bank.api_url(), &token);
        let echo = json(&visitor.send(request).await.unwrap());
        assert_eq!(echo["client_id"], "ana", "{}", bank.name());
    }
}

#[tokio::test]
async fn every_other_client_fails_in_the_handshake_and_sees_why() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let tls = Tls::new(&authority).unwrap();
    let (sent, received) = std::sync::mpsc::channel();
    let bank = Bank::avista()
        .tls(tls)
        .on_unserved(move |unserved| sent.send(unserved.to_string()).unwrap())
        .start()
        .await
        .unwrap();
    for (shown, says, because) in [
        (None, "CertificateRequired", "peer sent no certificates"),
        (
            Some(foreign.client("me").unwrap()),
            "UnknownCA",
            "UnknownIssuer",
        ),
        (
            Some(authority.backdated().client("me").unwrap()),
            "CertificateExpired",
            "expired",
        ),
        (
            Some(authority.loopback_server().unwrap()),
            "UnsupportedCertificate",
            "extended key usage",
        ),
    ] {
        let visitor = Visitor::new(&authority, shown.as_ref());
        let complaint = complaint(visitor.send(token_request(&bank)).await);
        assert!(complaint.contains(says), "{says}: {complaint}");
        let line = received.try_recv().unwrap();
        assert!(line.starts_with("avista: TLS handshake: "), "{line}");
        assert!(line.contains(because), "{line}");
    }
    assert_eq!(bank.counters().token_requests, 0);
}

#[tokio::test]
async fn a_client_sends_nothing_to_another_server() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let visitor = Visitor::new(&authority, Some(&authority.client("me").unwrap()));
    for (identity, says) in [
        (foreign.loopback_server().unwrap(), "UnknownIssuer"),
        (authority.backdated().loopback_server().unwrap(), "Expired"),
        (
            authority.server(["elsewhere.example"]).unwrap(),
            "NotValidForName",
        ),
    ] {
        let tls = Tls::new(&authority).unwrap().identity(identity);
        let bank = Bank::avista().tls(tls).start().await.unwrap();
        let complaint = complaint(visitor.send(token_request(&bank)).await);
        assert!(complaint.contains(says), "{says}: {complaint}");
        assert_eq!(bank.counters().token_requests, 0);
    }
}

#[tokio::test]
async fn banklys_certificate_endpoint_takes_a_certificate_and_no_secret() {
    let authority = Authority::new().unwrap();
    let bank = bankly(&authority).await;
    let visitor = Visitor::new(&authority, Some(&authority.client("me").unwrap()));
    let stranger = Visitor::new(&authority, None);

    let response = visitor.send(token_request_by_certificate(&bank)).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    let response = stranger.send(token_request_by_certificate(&bank)).await;
    assert_eq!(response.unwrap().status(), StatusCode::UNAUTHORIZED);

    let whole = bankly_form(&bank, "boleto.read");
    let with_secret = post(&bank.mtls_token_url().unwrap(), FORM, &whole);
    let response = visitor.send(with_secret).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(bank.last_error().unwrap().contains("does not have"));
}

#[tokio::test]
async fn a_token_got_by_certificate_is_good_with_that_certificate_alone() {
    let authority = Authority::new().unwrap();
    let bank = bankly(&authority).await;
    let visitor = Visitor::new(&authority, Some(&authority.client("me").unwrap()));
    let token = visitor.token(token_request_by_certificate(&bank)).await;
    assert_eq!(visitor.api_status(&bank, &token).await, StatusCode::OK);

    let other = authority.client("me").unwrap();
    for shown in [None, Some(&other)] {
        let thief = Visitor::new(&authority, shown);
        let status = thief.api_status(&bank, &token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(bank.last_error().unwrap().contains("bound to another"));
    }
}

#[tokio::test]
async fn bankly_gives_a_certificate_to_whoever_has_the_scope() {
    let authority = Authority::new().unwrap();
    let bank = bankly(&authority).await;
    let stranger = Visitor::new(&authority, None);
    let wanted = json!({ "passphrase": "x".repeat(64), "ttlInDays": 365 });

    let other_scope = stranger.token(token_request(&bank)).await;
    let request = certificate_request(&bank, &other_scope, &wanted);
    let status = stranger.send(request).await.unwrap().status();
    assert_eq!(status, StatusCode::FORBIDDEN);

    let form = bankly_form(&bank, "certificate.create");
    let token = stranger.token(post(&bank.token_url(), FORM, &form)).await;
    for (wrong, says) in [
        (
            json!({ "passphrase": "short", "ttlInDays": 365 }),
            "64 characters",
        ),
        (
            json!({ "passphrase": "x".repeat(64), "ttlInDays": 366 }),
            "1 to 365",
        ),
        (json!({ "passphrase": "x".repeat(64) }), "must be JSON of"),
    ] {
        let request = certificate_request(&bank, &token, &wrong);
        let status = stranger.send(request).await.unwrap().status();
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let reason = bank.last_error().unwrap();
        assert!(reason.contains(says), "{reason}");
    }

    let request = certificate_request(&bank, &token, &wanted);
    let given = stranger.send(request).await.unwrap();
    assert_eq!(given.status(), StatusCode::CREATED);
    for member in ["certificate", "key"] {
        let pem = json(&given)[member].as_str().unwrap().to_owned();
        assert!(pem.starts_with("-----BEGIN "), "{member}");
    }
}
