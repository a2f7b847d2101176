//! What the customers share: one pool, one dialect, one client, one token endpoint.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, Clock, ConfigError, OAuthLayer, TokenEndpoint, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
    pool::SourcePool,
    provider::avista,
    testing::Bank,
};

use crate::{
    args::Args,
    customers::{Customer, Customers, Table},
};

/// Of the bank's rate.
const PERIOD: Duration = Duration::from_secs(1);

/// API requests under way. Each may open a connection, and a process may have some 1,000 files open.
const AT_ONCE: usize = 64;

/// After it a customer's source is evicted.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

type Http = Client<HttpConnector, Full<Bytes>>;

pub(crate) struct Stack {
    pub(crate) bank: Bank,
    pub(crate) table: Arc<Table>,
    /// Each source holds it.
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) endpoint: TokenEndpoint,
    pub(crate) pool: SourcePool<Customer>,
    api: BoxCloneSyncService<Request<Full<Bytes>>, Response<Bytes>, BoxError>,
    pub(crate) responses: AtomicU64,
    /// Those of another customer than the one that sent the request.
    pub(crate) of_another: AtomicU64,
}

/// What the sources are made of.
struct Maker {
    table: Arc<Table>,
    dialect: Arc<Dialect>,
    endpoint: TokenEndpoint,
    client: Http,
}

impl Stack {
    pub(crate) async fn start(args: &Args, customers: &Customers) -> Result<Self, BoxError> {
        let clients = customers.all();
        let bank = Bank::avista()
            .clients(clients.iter().map(|it| (it.id(), it.secret())))
            .token_rate(args.rate as usize, PERIOD)
            .start()
            .await?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let maker = Arc::new(Maker {
            table: Arc::new(Table::new(customers.mistaken)),
            dialect: Arc::new(dialect(&bank)?),
            endpoint: TokenEndpoint::builder("avista")
                .rate(args.client_rate(), PERIOD)
                .build()?,
            client: client.clone(),
        });
        Ok(Self {
            bank,
            table: maker.table.clone(),
            dialect: maker.dialect.clone(),
            endpoint: maker.endpoint.clone(),
            api: api(client),
            pool: SourcePool::builder(move |customer| make(maker.clone(), customer))
                .capacity((args.customers + args.customers / 10) as usize)
                .idle_timeout(IDLE_TIMEOUT)
                .clock(Clock::tokio())
                .build()?,
            responses: AtomicU64::new(0),
            of_another: AtomicU64::new(0),
        })
    }

    /// Sends a request as a customer, and checks whose token arrived.
    pub(crate) async fn call(&self, customer: Customer) -> Result<(), BoxError> {
        let mut request = Request::get(self.bank.api_url()).body(Full::default())?;
        let source = self.pool.source(&customer).await?;
        request.extensions_mut().insert(source);
        let response = self.api.clone().oneshot(request).await?;
        if !response.status().is_success() {
            return Err(format!("{customer}: HTTP {}", response.status()).into());
        }
        let echo: Value = serde_json::from_slice(response.body())?;
        self.responses.fetch_add(1, Ordering::Relaxed);
        match &echo["client_id"] {
            id if *id == customer.id() => Ok(()),
            other => {
                self.of_another.fetch_add(1, Ordering::Relaxed);
                Err(format!("{customer}: the response is of {other}").into())
            }
        }
    }
}

/// The same for all customers. Nothing of it is changed for one, or that one would get a copy.
fn dialect(bank: &Bank) -> Result<Dialect, BoxError> {
    let mut dialect = avista::dialect();
    dialect.token_url = bank.token_url();
    dialect.origins = vec![bank.api_origin().parse()?];
    Ok(dialect)
}

async fn make(maker: Arc<Maker>, customer: Customer) -> Result<TokenSource, ConfigError> {
    let (id, secret) = maker.table.credential(customer).await?;
    ClientCredentialsBuilder::new(maker.dialect.clone(), id)
        .name(format!("avista/{customer}"))
        .secret(secret)
        .token_endpoint(&maker.endpoint)
        .build(maker.client.clone())
}

fn api(client: Http) -> BoxCloneSyncService<Request<Full<Bytes>>, Response<Bytes>, BoxError> {
    let whole = ServiceBuilder::new()
        .concurrency_limit(AT_ONCE)
        .service(client)
        .map_err(BoxError::from)
        .and_then(async |response: Response<_>| {
            let (head, body) = response.into_parts();
            let body = BodyExt::collect(body).await?.to_bytes();
            Ok::<_, BoxError>(Response::from_parts(head, body))
        });
    let layered = ServiceBuilder::new()
        .layer(OAuthLayer::from_extension().retry_rejected())
        .service(BoxCloneSyncService::new(whole));
    BoxCloneSyncService::new(layered)
}
