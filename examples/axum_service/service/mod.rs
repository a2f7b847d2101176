//! The service: one route per bank, and those for the operator.

mod failure;
mod health;
mod id;
mod metrics;
mod page;
mod upstream;

use std::io;

use axum::{
    Json, Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use tokio::net::TcpListener;
use tower_oauth::Status;

use self::{failure::Failure, id::Id, page::Board};

pub(crate) use self::upstream::Upstream;

/// The banks, as every handler sees them: a clone shares tokens and connections.
#[derive(Clone, Debug)]
pub(crate) struct Banks {
    pub(crate) anbima: Upstream,
    pub(crate) avista: Upstream,
    pub(crate) conta_simples: Upstream,
    pub(crate) bankly: Upstream,
}

impl Banks {
    fn all(&self) -> [&Upstream; 4] {
        [
            &self.anbima,
            &self.avista,
            &self.conta_simples,
            &self.bankly,
        ]
    }
}

/// Serves until `stop` resolves. It then answers the requests under way and ends the token sources.
pub(crate) async fn serve(
    listener: TcpListener,
    banks: Banks,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let board = Board::watch(banks.all().map(|bank| bank.source().clone()));
    let router = router(banks.clone()).merge(page::routes(board.clone()));
    let served = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        board.close();
    });
    let result = served.await;
    for bank in banks.all() {
        bank.source().shutdown();
    }
    result
}

fn router(banks: Banks) -> Router {
    Router::new()
        .route("/prices/{asset}", get(prices))
        .route("/cob/{txid}", get(charge))
        .route("/statements/{account}", get(statement))
        .route("/accounts/{account}", get(account))
        .route("/status", get(status))
        .merge(health::routes())
        .merge(metrics::routes())
        .with_state(banks)
}

async fn prices(State(banks): State<Banks>, Path(asset): Path<Id>) -> Result<Response, Failure> {
    let path = format!("/feed/precos-indices/v1/{asset}/mercado-secundario");
    banks.anbima.get(&path).await
}

async fn charge(State(banks): State<Banks>, Path(txid): Path<Id>) -> Result<Response, Failure> {
    banks.avista.get(&format!("/cob/{txid}")).await
}

async fn statement(
    State(banks): State<Banks>,
    Path(account): Path<Id>,
) -> Result<Response, Failure> {
    let path = format!("/statements/v1/credit-card/{account}");
    banks.conta_simples.get(&path).await
}

async fn account(State(banks): State<Banks>, Path(account): Path<Id>) -> Result<Response, Failure> {
    banks.bankly.get(&format!("/accounts/{account}")).await
}

/// The status of every token source. It holds no secret.
async fn status(State(banks): State<Banks>) -> Json<[Status; 4]> {
    Json(banks.all().map(|bank| bank.source().status()))
}
