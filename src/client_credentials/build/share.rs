//! Shares the tokens of a client with the other replicas of a service.

use tower::Layer;

use super::ClientCredentialsBuilder;
use crate::{
    ConfigError, Secret,
    client_credentials::{
        ClientCredentials,
        dialect::{Assertion, ClaimValue, Dialect},
        request::Client,
    },
    lifecycle::{TokenSource, TokenSourceBuilder},
    shared::{SharedLayer, SharedStore, StoreKey, WhenStoreIsDown},
};

/// What the user says of sharing.
#[derive(Clone, Debug, Default)]
pub(super) struct Share {
    store: Option<SharedStore>,
    when_down: Option<WhenStoreIsDown>,
    identities: Vec<String>,
}

impl ClientCredentialsBuilder {
    /// Shares the token with all replicas that use the same store, token URL, client id, grant, scopes, further fields
    /// and headers of the token request, header values, and subject of an assertion. Default: each process has its own
    /// token.
    ///
    /// Use it where the token endpoint is scarce, or revokes the old token when it issues a new one. Do not use it for
    /// a single process.
    pub fn shared(mut self, store: SharedStore) -> Self {
        self.share.store = Some(store);
        self
    }

    /// Shares the token only with replicas that name the same identity. Default: none; several are all compared.
    ///
    /// Use it where a token is good for more than the client id says: with tokens that are bound to a client
    /// certificate (RFC 8705), name the certificate's thumbprint. What is named is hashed, and not stored.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_oauth::{Clock, ClientId, client_credentials::{ClientCredentialsBuilder, Dialect}};
    /// # use tower_oauth::shared::{SealingKeys, SharedStore};
    /// # let store = SharedStore::in_memory(Clock::system(), SealingKeys::new(&[7; 32]));
    /// # let dialect = Dialect::new("transmitter", "https://auth.bank.example/token");
    /// # let thumbprint = "0Q1xkJdfQkfpQeQwpYMbXTBtTlBZM8yI3vNo4jTLQ2c";
    /// let builder = ClientCredentialsBuilder::new(dialect, ClientId::new("me")?)
    ///     .shared(store)
    ///     .shared_identity(thumbprint);
    /// # Ok::<(), tower_oauth::ConfigError>(())
    /// ```
    pub fn shared_identity(mut self, identity: impl Into<String>) -> Self {
        self.share.identities.push(identity.into());
        self
    }

    /// Sets what to do while the store is down. Default: [`WhenStoreIsDown::FetchAlone`]. There is no default for a
    /// provider that keeps one token active (`single_active`): choose there.
    pub fn when_store_is_down(mut self, choice: WhenStoreIsDown) -> Self {
        self.share.when_down = Some(choice);
        self
    }

    pub(super) fn shared_source(
        &self,
        fetcher: ClientCredentials,
    ) -> Result<TokenSourceBuilder, ConfigError> {
        let layer = self.shared_layer();
        let Some(layer) = layer.map_err(|error| error.of(&self.name))? else {
            return Ok(TokenSource::builder(fetcher));
        };
        Ok(TokenSource::builder(layer.layer(fetcher.always_ready())).sharing(layer.sharing()))
    }

    /// `None`: nothing is shared.
    fn shared_layer(&self) -> Result<Option<SharedLayer>, ConfigError> {
        let Some(store) = self.share.store.clone() else {
            return Ok(None);
        };
        if self.policy.refresh.single_active && self.share.when_down.is_none() {
            return Err(ConfigError::new(
                "when_store_is_down",
                "must be chosen where one token is active at a time: FetchAlone revokes the tokens of other replicas while the store is down, Fail lets requests fail once the token has expired",
            ));
        }
        let key = self.share.key(&self.dialect, &self.client)?;
        let secret = self.secret.as_ref().and_then(Secret::read_when_built);
        let credential = secret
            .transpose()?
            .map(|it| StoreKey::new("credential").with(it.expose()));
        let layer = SharedLayer::for_key(store, key)
            .credential(credential)
            .when_store_is_down(self.share.when_down.unwrap_or_default())
            .policy((*self.policy).clone())
            .clock(self.clock.clone());
        Ok(Some(layer))
    }
}

impl Share {
    /// Everything that decides which token the endpoint issues, but what proves it (the secret, the signing key), which
    /// may be changed under a live token.
    fn key(&self, dialect: &Dialect, client: &Client) -> Result<StoreKey, ConfigError> {
        let mut scopes: Vec<_> = client.scopes.iter().map(String::as_str).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let mut key = StoreKey::new("client_credentials")
            .with(&dialect.token_url)
            .with(client.id.as_str())
            .with(&format!("{:?}", dialect.grant))
            .with(&scopes.join(" "));
        for (list, values) in [
            ("params", &dialect.token_params),
            ("headers", &dialect.token_headers),
            // They come with a stored token, so that another service's would go to the API.
            ("header values", &dialect.header_values),
        ] {
            key = key.with(list);
            for (name, value) in values {
                key = key.with(name).with(value.resolve()?.expose());
            }
        }
        key = match &dialect.assertion {
            None => key,
            Some(assertion) => asserted(key, assertion)?,
        };
        let identities = self.identities.iter();
        Ok(identities.fold(key.with("identities"), |key, it| key.with(it)))
    }
}

/// For whom a client asks, as far as the assertion says it. The bank reads the further claims as well.
fn asserted(mut key: StoreKey, assertion: &Assertion) -> Result<StoreKey, ConfigError> {
    key = key
        .with("assertion")
        .with(assertion.usage.field())
        .with(&format!("{:?}", assertion.audience))
        .with(&assertion.issuer)
        .with(&assertion.subject);
    for (name, value) in &assertion.claims {
        key = match value {
            ClaimValue::Reference(place) => key.with(name).with(place.resolve()?.expose()),
            ClaimValue::Secret(secret) => key.with(name).with(secret.expose()),
            open => key.with(name).with(&format!("{open:?}")),
        };
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ClientId, ClientSecret, Clock, SigningAlgorithm,
        client_credentials::{AssertionUse, Audience},
        shared::SealingKeys,
    };

    fn builder() -> ClientCredentialsBuilder {
        let dialect = Dialect::new("bank", "https://login.example/token");
        ClientCredentialsBuilder::new(dialect, ClientId::new("me").unwrap())
            .secret(ClientSecret::new("shh"))
            .scopes(["a", "b"])
    }

    fn name(builder: &ClientCredentialsBuilder) -> String {
        let key = builder.share.key(&builder.dialect, &builder.client);
        key.unwrap().finish()
    }

    fn asserting(change: impl FnOnce(&mut Assertion)) -> ClientCredentialsBuilder {
        let mut assertion = Assertion::client(SigningAlgorithm::Ps256);
        change(&mut assertion);
        let mut builder = builder();
        builder.changed().assertion = Some(assertion);
        builder
    }

    fn with_header_value(key: &str) -> ClientCredentialsBuilder {
        let mut builder = builder();
        let values = &mut builder.changed().header_values;
        values.insert("application".into(), key.into());
        builder
    }

    fn with_secret_claim(pin: &str) -> ClientCredentialsBuilder {
        let pin = ClaimValue::Secret(ClientSecret::new(pin));
        asserting(|it| drop(it.claims.insert("pin".into(), pin)))
    }

    #[test]
    fn those_share_whose_tokens_are_interchangeable() {
        let same = builder().secret(ClientSecret::new("new"));
        assert_eq!(name(&builder()), name(&same));
        let mut turned = builder();
        turned.client.scopes.reverse();
        assert_eq!(name(&builder()), name(&turned));
        let others = [
            builder().scopes(["c"]),
            builder().token_url("https://login.example/tokens"),
            builder().token_param("tenant", "x"),
            builder().token_param("tenant", "y"),
            builder().token_header("tenant", "x"),
            with_header_value("x"),
            with_header_value("y"),
            builder().shared_identity("certificate"),
            builder().shared_identity("another"),
            asserting(|_| {}),
            asserting(|it| it.usage = AssertionUse::Grant),
            asserting(|it| it.audience = Audience::Text("bank".into())),
            asserting(|it| it.issuer = "other".into()),
            asserting(|it| it.subject = "other".into()),
            asserting(|it| drop(it.claims.insert("account".into(), "1".into()))),
            asserting(|it| drop(it.claims.insert("account".into(), "2".into()))),
            with_secret_claim("1"),
            with_secret_claim("2"),
        ];
        let names: Vec<_> = others.iter().map(name).collect();
        for (at, one) in names.iter().enumerate() {
            assert_ne!(*one, name(&builder()), "{at}");
            assert!(!names[..at].contains(one), "{at}");
        }
    }

    #[test]
    fn a_new_signing_key_under_a_live_token_changes_no_name() {
        let other = asserting(|it| {
            it.algorithm = SigningAlgorithm::Es256;
            it.kid = Some("new".into());
            it.lifetime *= 2;
        });
        assert_eq!(name(&other), name(&asserting(|_| {})));
    }

    #[test]
    fn with_one_active_token_the_choice_must_be_made() {
        let store = SharedStore::in_memory(Clock::system(), SealingKeys::new(&[7; 32]));
        let over = |builder: ClientCredentialsBuilder| {
            let builder = builder.policy(|policy| policy.refresh.single_active = true);
            builder.shared_layer()
        };
        let error = over(builder().shared(store.clone())).err().unwrap();
        assert_eq!(error.field(), "when_store_is_down");
        let chosen = builder().when_store_is_down(WhenStoreIsDown::Fail);
        assert!(over(chosen.shared(store)).is_ok());
        assert!(over(builder()).is_ok());
    }
}
