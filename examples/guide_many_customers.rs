//! The code of the guide `docs/many_customers.md`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, OAuthError, OAuthErrorKind, OAuthLayer, Origin,
    TokenEndpoint, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
    pool::SourcePool,
    provider::bankly,
    transport::{ReqwestService, ReqwestThread},
};

/// What all customers share.
struct Shared {
    dialect: Arc<Dialect>,
    transport: ReqwestThread,
    endpoint: TokenEndpoint,
}

impl Shared {
    async fn source(self: Arc<Self>, customer: u32) -> Result<TokenSource, BoxError> {
        let (id, secret) = credential(customer).await?;
        let source = ClientCredentialsBuilder::new(self.dialect.clone(), id)
            .name(format!("bankly/{customer}"))
            .secret(secret)
            .scopes(["boleto.read"])
            .token_endpoint(&self.endpoint)
            .build(self.transport.clone())?;
        Ok(source)
    }
}

/// Stands for your table, or for a vault.
async fn credential(customer: u32) -> Result<(ClientId, ClientSecret), BoxError> {
    if customer > 3 {
        return Err(format!("no customer {customer}").into());
    }
    let secret = format!("secret-{customer}");
    Ok((
        ClientId::new(format!("customer-{customer}"))?,
        ClientSecret::new(secret),
    ))
}

/// The bank, as the rest of the platform sees it.
struct Bankly {
    pool: SourcePool<u32>,
    endpoint: TokenEndpoint,
    origin: Origin,
    api: BoxCloneSyncService<Request<Full<Bytes>>, Response<reqwest::Body>, BoxError>,
}

impl Bankly {
    fn open(dialect: Dialect, origin: Origin) -> Result<Self, BoxError> {
        let endpoint = TokenEndpoint::builder("bankly")
            .rate(180, Duration::from_secs(10))
            .build()?;
        let shared = Arc::new(Shared {
            transport: ReqwestThread::new(reqwest::Client::builder(), &dialect.token_origin()?)?,
            dialect: Arc::new(dialect),
            endpoint: endpoint.clone(),
        });
        let pool = SourcePool::builder(move |customer| shared.clone().source(customer))
            .name("bankly")
            .capacity(20_000)
            .idle_timeout(Duration::from_secs(30 * 60))
            .build()?;

        let client = ReqwestService::new(reqwest::Client::builder(), &origin)?;
        let api = ServiceBuilder::new()
            .layer(OAuthLayer::from_extension().retry_rejected())
            .service(client);
        Ok(Self {
            pool,
            endpoint,
            origin,
            api: BoxCloneSyncService::new(api),
        })
    }

    async fn account(&self, customer: u32, number: &str) -> Result<Bytes, BoxError> {
        let url = format!("{}/accounts/{number}", self.origin);
        let mut request = Request::get(url).body(Full::default())?;
        request
            .extensions_mut()
            .insert(self.pool.source(&customer).await?);
        let response = self.api.clone().oneshot(request).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }
}

fn what_failed(error: &BoxError) -> &'static str {
    match OAuthError::find(&**error) {
        None => "the API could not be reached",
        Some(it) if it.kind() == OAuthErrorKind::SourceNotMade => "we have no credential of it",
        Some(it) if it.is_denied() => "the bank denies its credential",
        Some(_) => "it has no token now",
    }
}

fn with_replicas(
    builder: ClientCredentialsBuilder,
    transport: ReqwestThread,
    store: &tower_oauth::shared::SharedStore,
) -> Result<TokenSource, BoxError> {
    let source = builder.shared(store.clone()).build(transport)?;
    Ok(source)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    use tower_oauth::testing::Bank;

    let bank = Bank::bankly()
        .clients((1..=3).map(|n| (format!("customer-{n}"), format!("secret-{n}"))))
        .token_rate(180, Duration::from_secs(10))
        .start()
        .await?;
    let mut dialect = bankly::dialect();
    dialect.token_url = bank.token_url();
    dialect.origins = vec![bank.api_origin().parse()?];

    let bankly = Bankly::open(dialect.clone(), bank.api_origin().parse()?)?;
    for customer in 1..=3 {
        let echo = bankly.account(customer, "1").await?;
        let echo: serde_json::Value = serde_json::from_slice(&echo)?;
        assert_eq!(echo["client_id"], format!("customer-{customer}"));
    }
    let unknown = bankly.account(4, "1").await.unwrap_err();
    assert_eq!(what_failed(&unknown), "we have no credential of it");

    // The bank disables a customer, and enables it again.
    bank.client("customer-2").disable();
    bankly.pool.remove(&2);
    let denied = bankly.account(2, "1").await.unwrap_err();
    assert_eq!(what_failed(&denied), "the bank denies its credential");
    let status = bankly.pool.status();
    assert_eq!(status.sources.failing_for_good, 1);
    assert_eq!(status.worst[0].name, "bankly/2");
    bank.client("customer-2").enable();
    bankly.pool.remove(&2);
    bankly.account(2, "1").await?;
    assert_eq!(bankly.endpoint.status().attempts, 5);

    replicas(&dialect)
}

fn replicas(dialect: &Dialect) -> Result<(), BoxError> {
    use tower_oauth::shared::{SealingKeys, SharedStore};

    let transport = ReqwestThread::new(reqwest::Client::builder(), &dialect.token_origin()?)?;
    let keys = SealingKeys::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?;
    let store = SharedStore::redis("rediss://redis.example:6379", keys)?;
    let builder = ClientCredentialsBuilder::new(dialect.clone(), ClientId::new("customer-1")?)
        .secret(ClientSecret::new("secret-1"))
        .scopes(["boleto.read"]);
    assert!(
        with_replicas(builder, transport, &store)?
            .status()
            .sharing
            .is_some()
    );
    Ok(())
}
