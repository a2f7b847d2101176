//! The code of the guide `docs/mtls.md`. It calls the embedded bank over mTLS, with a certificate that is renewed on
//! the way.
//!
//! ```sh
//! cargo run --example guide_mtls
//! ```

use std::{env, fs, io, path::Path, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt};
use tower_oauth::{
    BoxError, ClientId, ConfigError, OAuthLayer, Origin, SecretRef, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    identity::{Identity, RenewingClient, roots_from_pem},
    provider::bankly,
    testing::{Authority, Bank, Tls},
};

/// A PKCS #12 archive, as an authority hands it out.
fn from_an_archive() -> Result<Identity, ConfigError> {
    Identity::pkcs12_file("/run/secrets/company.pfx")
        .password_from(SecretRef::Env("COMPANY_PFX_PASSWORD".into()))
        .build()
}

fn from_pem(folder: &Path) -> Result<Identity, ConfigError> {
    Identity::pem_files(folder.join("tls.crt"), folder.join("tls.key"))
        .poll_interval(Duration::from_secs(10))
        .build()
}

async fn call_by_reqwest(
    credentials: ClientCredentialsBuilder,
    identity: &Identity,
    client: impl Fn() -> reqwest::ClientBuilder + Clone + Send + Sync + 'static,
    origin: &Origin,
) -> Result<(), BoxError> {
    let source = credentials
        .identity(identity.clone())
        .build_reqwest_with(client.clone())?;
    let api = ServiceBuilder::new()
        .layer(OAuthLayer::new(source).retry_rejected())
        .service(identity.reqwest_service(client, origin)?);

    let request = Request::get(format!("{origin}/accounts/1")).body(Full::<Bytes>::default())?;
    println!("reqwest: {}", api.oneshot(request).await?.status());
    Ok(())
}

fn by_hyper(
    credentials: ClientCredentialsBuilder,
    identity: &Identity,
    authorities: &[u8],
) -> Result<TokenSource, ConfigError> {
    let roots = roots_from_pem(authorities)?;
    let client = RenewingClient::new(identity, move |identity| {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(identity.client_config(roots.clone()))
            .https_only()
            .enable_http1()
            .build();
        Ok(Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector))
    })?;
    // The API's client, too: put `OAuthLayer` around a clone of it.
    credentials.identity(identity.clone()).build(client)
}

fn report(source: &TokenSource) {
    if let Some(certificate) = source.status().certificate {
        println!("{} until {:?}", certificate.serial, certificate.not_after);
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let error = from_an_archive().expect_err("there is no such file");
    println!("{error}");

    let authority = Authority::new()?;
    let bank = Bank::bankly().tls(Tls::new(&authority)?).start().await?;
    let credentials = || -> Result<_, BoxError> {
        let url = bank
            .mtls_token_url()
            .ok_or("the bank has no such endpoint")?;
        let builder = bankly::mtls_sandbox(ClientId::new(bank.client_id())?);
        let builder = builder.scopes(["boleto.read"]).token_url(url);
        Ok(builder.origin(bank.api_origin()))
    };
    let folder = env::temp_dir().join(format!("tower-oauth-guide-mtls-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    write_pair(&folder, &authority)?;

    let identity = from_pem(&folder)?;
    let trusted = reqwest::Certificate::from_pem(authority.certificate_pem().as_bytes())?;
    let client = move || reqwest::Client::builder().tls_certs_only([trusted.clone()]);
    let origin: Origin = bank.api_origin().parse()?;
    call_by_reqwest(credentials()?, &identity, client, &origin).await?;

    let authorities = authority.certificate_pem();
    let source = by_hyper(credentials()?, &identity, authorities.as_bytes())?;
    source.ready().await?;
    report(&source);

    write_pair(&folder, &authority)?;
    identity.reload()?; // which otherwise happens within ten seconds
    bank.wait_for(|counters| counters.tokens_issued == 3).await;
    report(&source);
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// What an operator or a secret store does.
fn write_pair(folder: &Path, authority: &Authority) -> io::Result<()> {
    let pair = authority.client("company")?;
    fs::write(folder.join("tls.crt"), pair.certificate_pem())?;
    fs::write(folder.join("tls.key"), pair.key_pem())
}
