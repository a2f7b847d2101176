//! Shares the tokens of a client with the other replicas of a service.

use tower::Layer;

use super::{
    ClientCredentialsBuilder,
    dialect::{Dialect, ParamValue},
    fetcher::ClientCredentials,
    request::Client,
};
use crate::{
    ConfigError,
    lifecycle::{Clock, TokenSource, TokenSourceBuilder},
    policy::Policy,
    shared::{SharedLayer, SharedStore, StoreKey, WhenStoreIsDown},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Sharing {
    store: Option<SharedStore>,
    when_down: Option<WhenStoreIsDown>,
}

/// What the source is built over.
pub(super) struct Over(Option<SharedLayer>);

impl ClientCredentialsBuilder {
    /// Shares the token with all replicas that use the same store, token URL, client id, scopes, and further fields and
    /// headers of the token request. Default: each process has its own token.
    ///
    /// Use it where the token endpoint is scarce, or revokes the old token when it issues a new one. Do not use it for a
    /// single process.
    pub fn shared(mut self, store: SharedStore) -> Self {
        self.sharing.store = Some(store);
        self
    }

    /// Sets what to do while the store is down. Default: [`WhenStoreIsDown::FetchAlone`]. There is no default for a
    /// provider that keeps one token active (`single_active`): choose there.
    pub fn when_store_is_down(mut self, choice: WhenStoreIsDown) -> Self {
        self.sharing.when_down = Some(choice);
        self
    }
}

impl Sharing {
    pub(super) fn over(
        &self,
        dialect: &Dialect,
        client: &Client,
        policy: &Policy,
    ) -> Result<Over, ConfigError> {
        let Some(store) = &self.store else {
            return Ok(Over(None));
        };
        if policy.refresh.single_active && self.when_down.is_none() {
            return Err(ConfigError::new(
                "when_store_is_down",
                "must be chosen where one token is active at a time: FetchAlone revokes the tokens of other replicas while the store is down, Fail lets requests fail once the token has expired",
            ));
        }
        let layer = SharedLayer::for_key(store.clone(), key(dialect, client)?);
        let choice = self.when_down.unwrap_or_default();
        Ok(Over(Some(layer.when_store_is_down(choice))))
    }
}

impl Over {
    pub(super) fn source(
        self,
        fetcher: ClientCredentials,
        policy: &Policy,
        clock: &Clock,
    ) -> TokenSourceBuilder {
        let Some(layer) = self.0 else {
            return TokenSource::builder(fetcher);
        };
        let layer = layer.policy(policy.clone()).clock(clock.clone());
        TokenSource::builder(layer.layer(fetcher)).sharing(layer.sharing())
    }
}

/// Everything that decides which token the endpoint issues, but the secret, which may be changed under a live token.
fn key(dialect: &Dialect, client: &Client) -> Result<StoreKey, ConfigError> {
    let grant = format!("{:?}", dialect.grant);
    let mut key = StoreKey::new("client_credentials")
        .with(&dialect.token_url)
        .with(client.id.as_str())
        .with(&grant);
    let mut scopes: Vec<_> = client.scopes.iter().map(String::as_str).collect();
    scopes.sort_unstable();
    scopes.dedup();
    key = key.with(&scopes.join(" "));
    for (list, values) in [
        ("params", &dialect.token_params),
        ("headers", &dialect.token_headers),
    ] {
        key = key.with(list);
        for (name, value) in values {
            key = key.with(name).with(of(value)?.expose());
        }
    }
    Ok(key)
}

fn of(value: &ParamValue) -> Result<crate::ClientSecret, ConfigError> {
    value.resolve()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientId, ClientSecret, shared::SealingKeys};

    fn builder() -> ClientCredentialsBuilder {
        let dialect = Dialect::new("bank", "https://login.example/token");
        ClientCredentialsBuilder::new(dialect, ClientId::new("me").unwrap())
            .secret(ClientSecret::new("shh"))
            .scopes(["a", "b"])
    }

    fn name(builder: &ClientCredentialsBuilder) -> String {
        key(&builder.dialect, &builder.client).unwrap().finish()
    }

    #[test]
    fn those_share_whose_tokens_are_interchangeable() {
        let same = builder().secret(ClientSecret::new("new"));
        assert_eq!(name(&builder()), name(&same));
        let mut turned = builder();
        turned.client.scopes.reverse();
        assert_eq!(name(&builder()), name(&turned));
        for other in [
            builder().scopes(["c"]),
            builder().token_url("https://login.example/tokens"),
            builder().token_param("tenant", "x"),
            builder().token_header("tenant", "x"),
        ] {
            assert_ne!(name(&builder()), name(&other));
        }
    }

    #[test]
    fn with_one_active_token_the_choice_must_be_made() {
        let store = SharedStore::in_memory(Clock::system(), SealingKeys::new(&[7; 32]));
        let over = |builder: ClientCredentialsBuilder| {
            let builder = builder.policy(|policy| policy.refresh.single_active = true);
            let sharing = builder.sharing.clone();
            sharing.over(&builder.dialect, &builder.client, &builder.policy)
        };
        let error = over(builder().shared(store.clone())).err().unwrap();
        assert_eq!(error.field(), "when_store_is_down");
        let chosen = builder().when_store_is_down(WhenStoreIsDown::Fail);
        assert!(over(chosen.shared(store)).is_ok());
        assert!(over(builder()).is_ok());
    }
}
