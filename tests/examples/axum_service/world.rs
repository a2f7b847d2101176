use std::{io, time::Duration};

use http::StatusCode;
use reqwest::Response;
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tower_oauth::{
    ClientId, ClientSecret, Policy,
    client_credentials::{ClientCredentialsBuilder, Dialect},
    provider,
    testing::Bank,
    transport::ReqwestService,
};

use super::{
    LONG,
    service::{self, Banks, Upstream},
};

/// The service, its banks, and a caller.
pub(crate) struct World {
    anbima: Bank,
    pub(crate) avista: Bank,
    conta_simples: Bank,
    bankly: Bank,
    pub(crate) upstreams: Banks,
    pub(crate) client: reqwest::Client,
    pub(crate) base: String,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) serving: JoinHandle<io::Result<()>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(LONG, |_| {}).await
    }

    pub(crate) async fn with(patience: Duration, policy: fn(&mut Policy)) -> Self {
        Self::custom(patience, |client, _| client.policy(policy)).await
    }

    /// With clients of each bank's own.
    pub(crate) async fn custom(
        patience: Duration,
        change: impl Fn(ClientCredentialsBuilder, &Bank) -> ClientCredentialsBuilder,
    ) -> Self {
        let anbima = Bank::anbima().start().await.unwrap();
        let avista = Bank::avista().start().await.unwrap();
        let conta_simples = Bank::conta_simples().start().await.unwrap();
        let bankly = Bank::bankly().start().await.unwrap();
        let open = |dialect, bank| {
            let client = change(client(dialect, bank), bank);
            Upstream::open(client, bank.api_origin().parse().unwrap(), patience).unwrap()
        };
        let upstreams = Banks {
            anbima: open(provider::anbima::dialect(), &anbima),
            avista: open(provider::avista::dialect(), &avista),
            conta_simples: open(provider::conta_simples::dialect(), &conta_simples),
            bankly: open(provider::bankly::dialect(), &bankly),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        Self {
            client: caller(&base),
            serving: tokio::spawn(service::serve(listener, upstreams.clone(), stopped)),
            stop,
            base,
            upstreams,
            anbima,
            avista,
            conta_simples,
            bankly,
        }
    }

    pub(crate) fn banks(&self) -> [&Bank; 4] {
        [
            &self.anbima,
            &self.avista,
            &self.conta_simples,
            &self.bankly,
        ]
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.base));
        request.send().await.unwrap()
    }

    pub(crate) async fn status(&self, path: &str) -> StatusCode {
        self.get(path).await.status()
    }

    pub(crate) async fn avista_status(&self) -> Value {
        json(self.get("/status").await).await[1].take()
    }

    /// All is well but for Avista.
    pub(crate) async fn assert_others_serve(&self) {
        for path in ["/prices/x", "/statements/x", "/accounts/x", "/health"] {
            assert_eq!(self.status(path).await, StatusCode::OK, "{path}");
        }
    }
}

pub(crate) fn caller(base: &str) -> reqwest::Client {
    let origin = base.parse().unwrap();
    let service = ReqwestService::new(reqwest::Client::builder(), &origin).unwrap();
    service.client().clone()
}

fn client(dialect: Dialect, bank: &Bank) -> ClientCredentialsBuilder {
    let client = ClientCredentialsBuilder::new(dialect, ClientId::new(bank.client_id()).unwrap())
        .secret(ClientSecret::new(bank.client_secret()))
        .token_url(bank.token_url());
    match bank.name() {
        "bankly" => client.scopes(["account.read"]),
        _ => client,
    }
}

pub(crate) async fn json(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
