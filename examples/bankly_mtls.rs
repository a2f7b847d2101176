//! Bankly's way to mTLS, whole: a token with the scope `certificate.create`, the certificate that the bank issues for
//! it, then tokens and API calls with that certificate and no secret.
//!
//! ```sh
//! cargo run --example bankly_mtls
//! ```
//!
//! The bank is the embedded one. At the real bank, drop `token_url` and `origin`, and the authority to trust.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use reqwest::{Certificate, ClientBuilder, Identity};
use serde::Deserialize;
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, OAuthLayer, Origin, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    provider::bankly,
    testing::{Authority, Bank, Tls},
    transport::ReqwestService,
};

/// What the bank issues: PEM.
#[derive(Deserialize)]
struct Issued {
    certificate: String,
    key: String,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let authority = Authority::new()?;
    let tls = Tls::new(&authority)?.client_certificate_optional();
    let bank = Bank::bankly().tls(tls).start().await?;
    let trusted = Certificate::from_pem(authority.certificate_pem().as_bytes())?;
    let client = || ClientBuilder::new().tls_certs_only([trusted.clone()]);

    let issued = obtain_certificate(&bank, &client).await?;
    println!("The bank issued a certificate for a token with the scope certificate.create.");

    let identity = Identity::from_pem(format!("{}{}", issued.certificate, issued.key).as_bytes())?;
    let client = || client().identity(identity.clone());
    let source = source_by_certificate(&bank, client())?;
    let request = Request::get(bank.api_url()).body(Full::default())?;
    let response = call(&bank, &source, client(), request).await?;
    println!(
        "A token without a secret, and an API call with it: {}.",
        response.status()
    );
    match (response.status(), bank.counters().token_denials) {
        (StatusCode::OK, 0) => Ok(()),
        _ => Err("the bank rejected something".into()),
    }
}

/// With id and secret, the one time that the secret is needed.
async fn obtain_certificate(
    bank: &Bank,
    client: impl Fn() -> ClientBuilder,
) -> Result<Issued, BoxError> {
    let id = ClientId::new(bank.client_id())?;
    let secret = ClientSecret::new(bank.client_secret());
    let builder = bankly::sandbox(id, secret).scopes(["certificate.create"]);
    let source = at(bank, builder.token_url(bank.token_url())).build_reqwest(client())?;

    let url = bank.certificates_url().ok_or("the bank issues none")?;
    let wanted = json!({ "passphrase": passphrase(), "ttlInDays": 365 });
    let request = Request::post(url)
        .header("content-type", "application/json")
        .header("api-version", "1")
        .body(Full::from(wanted.to_string()))?;
    let response = call(bank, &source, client(), request).await?;
    Ok(serde_json::from_slice(response.body())?)
}

/// From here on the certificate says who asks.
fn source_by_certificate(bank: &Bank, client: ClientBuilder) -> Result<TokenSource, BoxError> {
    let id = ClientId::new(bank.client_id())?;
    let builder = bankly::mtls_sandbox(id).scopes(["boleto.read"]);
    let url = bank
        .mtls_token_url()
        .ok_or("the bank has no such endpoint")?;
    Ok(at(bank, builder.token_url(url)).build_reqwest(client)?)
}

/// The embedded bank's API in place of the real one's.
fn at(bank: &Bank, builder: ClientCredentialsBuilder) -> ClientCredentialsBuilder {
    builder.origin(bank.api_origin())
}

async fn call(
    bank: &Bank,
    source: &TokenSource,
    client: ClientBuilder,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, BoxError> {
    let origin: Origin = bank.api_origin().parse()?;
    let api = OAuthLayer::new(source.clone()).layer(ReqwestService::new(client, &origin)?);
    let (head, body) = api.oneshot(request).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// Bankly wants 64 characters: upper and lower case, digits, and some of `!@#$%&*()?`. A real one is random and kept.
fn passphrase() -> String {
    "cX7!".repeat(16)
}
