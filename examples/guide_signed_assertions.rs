//! The code of the guide `docs/signed_assertions.md`. It runs against a test bank that verifies each assertion.
//!
//! ```sh
//! cargo run --example guide_signed_assertions
//! ```

use tower_oauth::{
    BoxError, ClientId, SigningAlgorithm,
    client_credentials::{Assertion, ClientCredentialsBuilder, Dialect, SigningKey},
    testing::{Assertions, Bank, ClientKey},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let key = ClientKey::generate(SigningAlgorithm::Ps256);
    let rules = Assertions::client(&key).kid("in-the-directory");
    let bank = Bank::bankly().assertions(rules).start().await?;
    let dialect = Dialect::new("transmitter", bank.token_url());

    let mut assertion = Assertion::client(SigningAlgorithm::Ps256);
    assertion.kid = Some("in-the-directory".into());

    let source = ClientCredentialsBuilder::new(dialect, ClientId::new(bank.client_id())?)
        .assertion(assertion)
        .signing_key(SigningKey::from_pem(key.pem())?) // or from_pem_file, from_jwk, from_jwk_file
        .scopes(["payments"])
        .build_reqwest(reqwest::Client::builder().tls_certs_only([]))?;
    source.ready().await?;

    assert_eq!(bank.counters().tokens_issued, 1);
    Ok(())
}
