//! The code of the guide `docs/moving_over.md`: the manager that is usually written by hand, and what replaces it.
//!
//! ```sh
//! cargo run --example guide_moving_over
//! ```

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the manager that is replaced reads the clock itself"
)]

use std::time::{Duration, Instant};

use http::{Request, Response};
use tokio::sync::Mutex;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_oauth::{BoxError, OAuthLayer, Token, TokenRequest, TokenSource};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    assert_eq!(TokenManager::default().token().await?, "abc");

    let manager = manager()?;
    let token = manager.token().await?;
    assert_eq!(token.expose_token(), "abc");
    let text = call(manager).await?;
    assert_eq!(text, "Bearer abc");
    Ok(())
}

/// Asks the bank: the token, and its lifetime in seconds.
async fn ask_bank() -> Result<(String, u64), BoxError> {
    Ok(("abc".into(), 3600)) // in your program: a POST, and some JSON
}

#[derive(Default)]
struct TokenManager {
    cached: Mutex<Option<(String, Instant)>>,
}

impl TokenManager {
    async fn token(&self) -> Result<String, BoxError> {
        let mut cached = self.cached.lock().await;
        if let Some((token, until)) = &*cached
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let (token, seconds) = ask_bank().await?;
        let until = Instant::now() + Duration::from_secs(seconds.saturating_sub(300));
        *cached = Some((token.clone(), until));
        Ok(token)
    }
}

async fn fetch(_: TokenRequest) -> Result<Token, BoxError> {
    let (token, seconds) = ask_bank().await?;
    Ok(Token::new(token).with_lifetime(Duration::from_secs(seconds)))
}

fn manager() -> Result<TokenSource, BoxError> {
    let manager = TokenSource::builder(service_fn(fetch))
        .name("my-bank")
        .origin("https://api.bank.example")
        .build()?;
    Ok(manager)
}

async fn call(manager: TokenSource) -> Result<String, BoxError> {
    // Stands for the HTTP client: it answers with the header that it got.
    let client = service_fn(|request: Request<String>| async move {
        let header = request.headers()["authorization"].to_str()?.to_owned();
        Ok::<_, BoxError>(Response::new(header))
    });

    let api = ServiceBuilder::new()
        .layer(OAuthLayer::new(manager).retry_rejected())
        .service(client);

    let request = Request::get("https://api.bank.example/cob/1").body(String::new())?;
    let response = api.oneshot(request).await?;
    Ok(response.into_body())
}
