//! Where the banks are: real ones by the environment, embedded ones on loopback where it says nothing.

use std::{env, time::Duration};

use tower_oauth::{
    BoxError, ClientId, ClientSecret, Secret,
    client_credentials::{ClientCredentialsBuilder, Dialect},
    provider,
    shared::{SealingKeys, SharedStore, WhenStoreIsDown},
    testing::{Bank, BankBuilder},
};

use crate::{
    credentials::credentials,
    service::{Banks, Upstream},
};

/// As long as our own callers are willing to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// The banks that the service calls, and those of them that run in this very process.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) banks: Banks,
    _embedded: Vec<Bank>,
}

impl Environment {
    pub(crate) async fn open() -> Result<Self, BoxError> {
        let mut embedded = Vec::new();
        let mut open = async |dialect, bank| upstream(dialect, bank, &mut embedded).await;
        let banks = Banks {
            anbima: open(provider::anbima::dialect(), Bank::anbima()).await?,
            avista: open(provider::avista::dialect(), Bank::avista()).await?,
            conta_simples: open(provider::conta_simples::dialect(), Bank::conta_simples()).await?,
            bankly: open(provider::bankly::dialect(), Bank::bankly()).await?,
        };
        Ok(Self {
            banks,
            _embedded: embedded,
        })
    }
}

async fn upstream(
    dialect: Dialect,
    bank: BankBuilder,
    embedded: &mut Vec<Bank>,
) -> Result<Upstream, BoxError> {
    if let Some((id, secret)) = credentials(&dialect.name, |name| env::var(name).ok())? {
        let origin = dialect.origins[0].clone();
        let real = shared(client(dialect, id, secret))?;
        return Ok(Upstream::open(real, origin, PATIENCE)?);
    }
    let bank = bank.start().await?;
    let id = ClientId::new(bank.client_id())?;
    let client = shared(client(dialect, id, ClientSecret::new(bank.client_secret())))?;
    let origin = bank.api_origin().parse()?;
    let upstream = Upstream::open(client.token_url(bank.token_url()), origin, PATIENCE)?;
    embedded.push(bank);
    Ok(upstream)
}

/// With `REDIS_URL`, all replicas of the service have one token. `OAUTH_STORE_KEY` seals it (32 bytes, base64).
fn shared(client: ClientCredentialsBuilder) -> Result<ClientCredentialsBuilder, BoxError> {
    let Ok(url) = env::var("REDIS_URL") else {
        return Ok(client);
    };
    let key = env::var("OAUTH_STORE_KEY").map_err(|_| "set OAUTH_STORE_KEY beside REDIS_URL")?;
    let keys =
        SealingKeys::from_base64(&key).map_err(|error| format!("OAUTH_STORE_KEY: {error}"))?;
    let store = SharedStore::redis(&url, keys).map_err(|error| format!("REDIS_URL: {error}"))?;
    Ok(client
        .shared(store)
        .when_store_is_down(WhenStoreIsDown::FetchAlone))
}

fn client(dialect: Dialect, id: ClientId, secret: impl Into<Secret>) -> ClientCredentialsBuilder {
    let scopes: &[&str] = match dialect.scope.required {
        true => &["account.read"],
        false => &[],
    };
    ClientCredentialsBuilder::new(dialect, id)
        .secret(secret)
        .scopes(scopes.iter().copied())
}
