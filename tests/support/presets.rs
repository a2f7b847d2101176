//! The four banks, each with its own preset, and clients whose responses are read to their ends.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BackOff, BoxError, ClientId, ClientSecret,
    client_credentials::ClientCredentialsBuilder,
    provider,
    testing::{Bank, BankBuilder},
};

pub const BANKS: [fn() -> BankBuilder; 4] = [
    Bank::anbima,
    Bank::avista,
    Bank::conta_simples,
    Bank::bankly,
];

/// Longer than anything here takes, so that a test fails instead of hanging.
pub const PATIENCE: Duration = Duration::from_secs(60);

const BACK_OFF: BackOff = BackOff::new(PATIENCE, PATIENCE);

/// A client whose responses are read to their ends.
pub type Http = BoxCloneSyncService<Request<Full<Bytes>>, Response<Bytes>, BoxError>;

/// The preset of a bank, pointed at the embedded one, with waits that no test has to sit through and back-offs that
/// none outlasts.
pub fn preset(bank: &Bank) -> ClientCredentialsBuilder {
    preset_of(bank, bank.client_id())
}

/// The same for any client of the bank.
pub fn preset_of(bank: &Bank, client_id: &str) -> ClientCredentialsBuilder {
    let id = ClientId::new(client_id).unwrap();
    let secret = ClientSecret::new(bank.client(client_id).secret());
    let builder = match bank.name() {
        "anbima" => provider::anbima::sandbox(id, secret),
        "avista" => provider::avista::production(id, secret),
        "conta-simples" => provider::conta_simples::sandbox(id, secret),
        _ => provider::bankly::sandbox(id, secret).scopes(["boleto.read", "pix.cob.read"]),
    };
    at(bank, builder)
}

/// Points a builder at a bank.
pub fn at(bank: &Bank, builder: ClientCredentialsBuilder) -> ClientCredentialsBuilder {
    builder
        .token_url(bank.token_url())
        .origin(bank.api_origin())
        .policy(|policy| {
            policy.back_off.min_fetch_interval = Duration::from_millis(1);
            policy.retry.first_wait = Duration::from_millis(1);
            policy.back_off.transient = BACK_OFF;
            policy.back_off.unclear = BACK_OFF;
            policy.back_off.permanent = BACK_OFF;
        })
}

pub fn read_to_end<S, B>(client: S) -> Http
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let client = client.map_err(Into::into);
    BoxCloneSyncService::new(client.and_then(async |response: Response<B>| {
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(Into::into)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }))
}
