//! One test bank, one token source, and two HTTP clients that share it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, OAuthLayer, Origin, TokenSource,
    client_credentials::ClientCredentialsBuilder, provider, testing::Bank,
    transport::ReqwestService,
};

use crate::report::Finding;

/// An API client of one type, whichever HTTP library is below it.
type Api = BoxCloneSyncService<Request<Full<Bytes>>, Response<()>, BoxError>;

pub(crate) struct Setup {
    pub(crate) bank: Bank,
    pub(crate) source: TokenSource,
    by_hyper: Api,
    by_reqwest: Api,
}

/// The four banks, each with a source that has no token yet.
pub(crate) async fn all_banks() -> Result<Vec<Setup>, BoxError> {
    let anbima = Bank::anbima().start().await?;
    let avista = Bank::avista().start().await?;
    let conta_simples = Bank::conta_simples().start().await?;
    let bankly = Bank::bankly().start().await?;
    Ok(vec![
        Setup::new(anbima, provider::anbima::sandbox)?,
        Setup::new(avista, provider::avista::production)?,
        Setup::new(conta_simples, provider::conta_simples::sandbox)?,
        Setup::new(bankly, |id, secret| {
            provider::bankly::sandbox(id, secret).scopes(["boleto.read"])
        })?,
    ])
}

impl Setup {
    fn new(
        bank: Bank,
        preset: impl FnOnce(ClientId, ClientSecret) -> ClientCredentialsBuilder,
    ) -> Result<Self, BoxError> {
        let origin: Origin = bank.api_origin().parse()?;
        let id = ClientId::new(bank.client_id())?;
        let secret = ClientSecret::new(bank.client_secret());
        let source = preset(id, secret)
            .token_url(bank.token_url())
            .origin(bank.api_origin())
            .build_reqwest(reqwest_builder())?;

        let hyper = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let reqwest = ReqwestService::new(reqwest_builder(), &origin)?;
        Ok(Self {
            by_hyper: api(&source, hyper),
            by_reqwest: api(&source, reqwest),
            bank,
            source,
        })
    }

    pub(crate) async fn get_one(&self) -> Result<StatusCode, BoxError> {
        get(&self.by_hyper, &self.bank.api_url()).await
    }

    /// Sends so many requests at once, half of them by each client.
    pub(crate) async fn get_many(&self, url: &str, requests: usize) -> Load {
        let clients = [&self.by_hyper, &self.by_reqwest];
        let timed = (0..requests).map(async |number| {
            let started = Instant::now();
            let status = get(clients[number % 2], url).await.ok();
            (status, started.elapsed())
        });
        Load(join_all(timed).await)
    }

    /// Sends a few requests at a time for so long.
    pub(crate) async fn load_for(&self, duration: Duration) -> Load {
        let started = Instant::now();
        let mut load = Load::default();
        while started.elapsed() < duration {
            load.extend(self.get_many(&self.bank.api_url(), 4).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        load
    }

    pub(crate) fn token_requests(&self) -> u64 {
        self.bank.counters().token_requests
    }

    pub(crate) fn finding(&self, load: &Load, passed: bool, what: String) -> Finding {
        Finding {
            bank: self.bank.name(),
            requests: load.0.len(),
            token_requests: self.token_requests(),
            slowest: load.0.iter().map(|it| it.1).max().unwrap_or_default(),
            passed,
            what,
        }
    }
}

/// The status of each answer (none for an error) and the time that it took.
#[derive(Default)]
pub(crate) struct Load(Vec<(Option<StatusCode>, Duration)>);

impl Load {
    pub(crate) fn count(&self, status: StatusCode) -> usize {
        self.0.iter().filter(|it| it.0 == Some(status)).count()
    }

    pub(crate) fn all(&self, status: StatusCode) -> bool {
        self.count(status) == self.0.len()
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Loopback needs no certificate authorities, and a bare machine has none.
fn reqwest_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().tls_certs_only([])
}

/// The layer stands outside the limit on connections: a request that waits for a token takes none.
fn api<S, C>(source: &TokenSource, client: S) -> Api
where
    S: Service<Request<Full<Bytes>>, Response = Response<C>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    C: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let client = ServiceBuilder::new()
        .layer(OAuthLayer::new(source.clone()).retry_rejected())
        .concurrency_limit(32)
        .service(client);
    // The body is read to its end, so that the connection can be used again.
    BoxCloneSyncService::new(client.and_then(async |response: Response<C>| {
        let (head, body) = response.into_parts();
        body.collect().await.map_err(Into::into)?;
        Ok(Response::from_parts(head, ()))
    }))
}

async fn get(api: &Api, url: &str) -> Result<StatusCode, BoxError> {
    let request = Request::get(url).body(Full::default())?;
    Ok(api.clone().oneshot(request).await?.status())
}
