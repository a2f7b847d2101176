//! Middleware of reqwest-middleware 0.4, over one that answers at once.

use std::{
    hint::black_box,
    sync::{Arc, LazyLock},
};

use aliri_reqwest::AccessTokenMiddleware;
use aliri_tokens::{
    TokenWatcher, backoff::ErrorBackoffConfig, jitter::NullJitter, sources::ConstTokenSource,
};
use async_trait::async_trait;
use http::{Extensions, Method};
use reqwest_012::{Client, Request, Response, Url};
use reqwest_auth::AuthorizationHeaderMiddleware;
use reqwest_middleware_04::{ClientBuilder, Middleware, Next, Result};
use token_source::TokenSource;
use tower_oauth::BoxError;

use crate::{
    Peer, Stack,
    measure::Case,
    token::{API, RUNTIME, TOKEN, look_at, now, put_headers},
};

pub(crate) fn stack() -> Stack {
    let kept: Arc<dyn TokenSource> = Arc::new(Kept(format!("Bearer {}", *TOKEN)));
    Stack {
        base: case(client()),
        peers: vec![
            Peer {
                name: "aliri_reqwest, aliri_tokens' TokenWatcher",
                package: "aliri_reqwest",
                case: case(client().with(AccessTokenMiddleware::new(watcher()))),
            },
            Peer {
                name: "reqwest-auth, a source that keeps its text",
                package: "reqwest-auth",
                case: case(client().with(AuthorizationHeaderMiddleware::from(kept))),
            },
        ],
    }
}

fn client() -> ClientBuilder {
    ClientBuilder::new(Client::builder().build().expect("a client"))
}

fn case(client: ClientBuilder) -> Case {
    let client = client.with(Bank).build();
    Case::new(move || {
        let client = client.clone();
        move || drop(black_box(now(client.execute(request()))))
    })
}

fn request() -> Request {
    static URL: LazyLock<Url> = LazyLock::new(|| API.parse().expect("an address"));
    let mut request = Request::new(Method::GET, URL.clone());
    put_headers(request.headers_mut());
    request
}

struct Bank;

#[async_trait]
impl Middleware for Bank {
    async fn handle(&self, request: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
        look_at(black_box(&request).headers());
        Ok(http::Response::new("").into())
    }
}

fn watcher() -> TokenWatcher {
    let source = ConstTokenSource::new(TOKEN.as_str());
    let backoff = ErrorBackoffConfig::default();
    let watcher = TokenWatcher::spawn_from_token_source(source, NullJitter, backoff);
    RUNTIME.block_on(watcher).expect("a token")
}

/// The cheapest source that its trait allows: no lock, no look at the time.
#[derive(Debug)]
struct Kept(String);

#[async_trait]
impl TokenSource for Kept {
    async fn token(&self) -> std::result::Result<String, BoxError> {
        Ok(self.0.clone())
    }
}
