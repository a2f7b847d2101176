//! The code of the guide `docs/share_a_token.md`.

use std::time::Duration;

use tower::{Layer, service_fn};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, Clock, ObtainedFrom, Token, TokenRequest, TokenSource,
    provider::bankly,
    shared::{SealingKeys, SharedLayer, SharedStore},
};

fn a_bank(id: &str, secret: &str, key: &str) -> Result<TokenSource, BoxError> {
    let keys = SealingKeys::from_base64(key)?;
    let store = SharedStore::redis("rediss://payments@redis.example:6379", keys)?;
    let bankly = bankly::sandbox(ClientId::new(id)?, ClientSecret::new(secret))
        .scopes(["boleto.read"])
        .shared(store)
        .build_reqwest(reqwest::Client::builder())?;
    Ok(bankly)
}

fn a_fetcher(store: SharedStore) -> Result<TokenSource, BoxError> {
    let fetcher = service_fn(async |_: TokenRequest| {
        Ok::<_, BoxError>(Token::new("abc").with_lifetime(Duration::from_secs(300)))
    });
    let layer = SharedLayer::new(store, "vault/payments");
    let source = TokenSource::builder(layer.layer(fetcher))
        .sharing(layer.sharing())
        .build()?;
    Ok(source)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let bank = a_bank("0b1d", "a secret", key)?;
    assert!(bank.status().sharing.is_some());

    let store = SharedStore::in_memory(Clock::system(), SealingKeys::from_base64(key)?);
    let (first, second) = (a_fetcher(store.clone())?, a_fetcher(store)?);
    first.token().await?;
    second.token().await?;
    assert_eq!(second.status().obtained_from, Some(ObtainedFrom::Store));
    Ok(())
}
