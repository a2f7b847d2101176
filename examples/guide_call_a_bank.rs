//! The code of the guide `docs/call_a_bank.md`. It calls the embedded bank; with a charge's id, it calls Avista itself.
//!
//! ```sh
//! cargo run --example guide_call_a_bank
//! AVISTA_CLIENT_SECRET=… cargo run --example guide_call_a_bank -- <txid>
//! ```

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, OAuthLayer, Origin, SecretRef, TokenSource,
    client_credentials::ClientCredentialsBuilder, provider::avista, transport::ReqwestService,
};

/// The bank, as the rest of the program sees it. A clone shares the token and the connections.
#[derive(Clone)]
struct Avista {
    source: TokenSource,
    origin: Origin,
    api: BoxCloneSyncService<Request<Full<Bytes>>, Response<reqwest::Body>, BoxError>,
}

impl Avista {
    fn open(credentials: ClientCredentialsBuilder, origin: Origin) -> Result<Self, BoxError> {
        let source = credentials.build_reqwest(reqwest::Client::builder())?;
        let client = ReqwestService::new(reqwest::Client::builder(), &origin)?;
        let api = ServiceBuilder::new()
            .layer(OAuthLayer::new(source.clone()).retry_rejected())
            .service(client);
        let api = BoxCloneSyncService::new(api);
        Ok(Self {
            source,
            origin,
            api,
        })
    }

    async fn charge(&self, txid: &str) -> Result<Bytes, BoxError> {
        let request = Request::get(format!("{}/cob/{txid}", self.origin)).body(Full::default())?;
        let response = self.api.clone().oneshot(request).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }
}

fn production() -> Result<Avista, BoxError> {
    let id = ClientId::new("my-client-id")?;
    let secret = SecretRef::Env("AVISTA_CLIENT_SECRET".into()).resolve()?;
    let origin = "https://api.avista.global".parse()?;
    Avista::open(avista::production(id, secret), origin)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    if let Some(txid) = std::env::args().nth(1) {
        let charge = production()?.charge(&txid).await?;
        println!("{} bytes", charge.len());
        return Ok(());
    }
    on_loopback().await?;
    over_hyper().await
}

async fn on_loopback() -> Result<(), BoxError> {
    let bank = tower_oauth::testing::Bank::avista().start().await?;
    let id = ClientId::new(bank.client_id())?;
    let credentials = avista::production(id, ClientSecret::new(bank.client_secret()))
        .token_url(bank.token_url())
        .origin(bank.api_origin());

    let avista = Avista::open(credentials, bank.api_origin().parse()?)?;
    let charge = avista.charge("7978c0c97ea847e78e8849634473c1f1").await?;
    assert!(charge.starts_with(b"{"));
    assert_eq!(avista.source.status().counters.attempts, 1);
    Ok(())
}

async fn over_hyper() -> Result<(), BoxError> {
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    use tower_oauth::provider::conta_simples;

    let bank = tower_oauth::testing::Bank::conta_simples().start().await?;
    let id = ClientId::new(bank.client_id())?;
    let credentials = conta_simples::sandbox(id, ClientSecret::new(bank.client_secret()))
        .token_url(bank.token_url())
        .origin(bank.api_origin());

    // Plain http. In production: `.build(connector)`, with the connector of hyper-rustls.
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let source = credentials.build(client.clone())?;
    let api = ServiceBuilder::new()
        .layer(OAuthLayer::new(source).retry_rejected())
        .service(client);

    let request = Request::get(bank.api_url()).body(Full::default())?;
    assert_eq!(api.oneshot(request).await?.status(), 200);
    Ok(())
}
