//! The code of the guide `docs/any_oauth_server.md`. It needs no server.
//!
//! ```sh
//! cargo run --example guide_any_oauth_server
//! ```

use std::time::Duration;
use tower::service_fn;
use tower_oauth::{BoxError, FetchError, Token, TokenRequest, TokenSource};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    partner()?;
    let source = vault()?;
    source.ready().await?;
    assert_eq!(source.token().await?.expose_token(), "abc");
    Ok(())
}

fn partner() -> Result<TokenSource, BoxError> {
    use tower_oauth::{
        ClientId, ClientSecret,
        client_credentials::{ClientCredentialsBuilder, CredentialPlacement, Dialect},
    };

    let mut dialect = Dialect::new("partner", "https://login.partner.example/oauth2/token");
    // What differs from the RFC is a field. This server wants the credentials in the body.
    dialect.credentials = CredentialPlacement::Body {
        id: "client_id".into(),
        secret: "client_secret".into(),
    };

    let source = ClientCredentialsBuilder::new(dialect, ClientId::new("me")?)
        .secret(ClientSecret::new("from your vault"))
        .scopes(["orders.read"])
        .token_param("audience", "https://api.partner.example")
        .origin("https://api.partner.example")
        .build_reqwest(reqwest::Client::builder())?;
    Ok(source)
}

/// What the vault's client library returns.
enum Answer {
    Lease { token: String, seconds: u64 },
    Sealed,
    Forbidden,
}

async fn fetch(request: TokenRequest) -> Result<Token, FetchError> {
    match ask_vault(&request).await {
        Answer::Lease { token, seconds } => {
            Ok(Token::new(token).with_lifetime(Duration::from_secs(seconds)))
        }
        Answer::Sealed => Err(FetchError::transient("the vault is sealed")),
        Answer::Forbidden => Err(FetchError::permanent("the vault does not know this role")),
    }
}

fn vault() -> Result<TokenSource, BoxError> {
    let source = TokenSource::builder(service_fn(fetch))
        .name("vault")
        .origin("https://api.partner.example")
        .build()?;
    Ok(source)
}

/// Stands for the vault: sealed at the first attempt, open at the second.
async fn ask_vault(request: &TokenRequest) -> Answer {
    match request.attempt() {
        1 => Answer::Sealed,
        2 => Answer::Lease {
            token: "abc".into(),
            seconds: 300,
        },
        _ => Answer::Forbidden,
    }
}
