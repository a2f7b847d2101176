//! Middleware of reqwest-middleware 0.5, over one that answers at once.

use std::{
    hint::black_box,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use http::{Extensions, HeaderValue, Method, header::AUTHORIZATION};
use reqwest::{Request, Response, Url};
use reqwest_middleware::{ClientBuilder, Error, Middleware, Next, Result};
use tokio::sync::RwLock;
use tower_oauth::OAuthMiddleware;

use crate::{
    Peer, Stack,
    measure::Case,
    token::{API, TOKEN, look_at, now, put_headers, source, value},
};

pub(crate) fn stack() -> Stack {
    Stack {
        base: case(client()),
        peers: vec![
            Peer {
                name: "a middleware that sets a static header",
                package: "reqwest-middleware",
                case: case(client().with(Static(value()))),
            },
            Peer {
                name: "tower-oauth, as reqwest-middleware",
                package: "tower-oauth",
                case: case(client().with(OAuthMiddleware::new(source()))),
            },
            Peer {
                name: "by hand, as reqwest-middleware",
                package: "",
                case: case(client().with(ByHand(Arc::new(RwLock::new(TOKEN.clone()))))),
            },
        ],
    }
}

fn client() -> ClientBuilder {
    ClientBuilder::new(reqwest::Client::builder().build().expect("a client"))
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

/// What a middleware costs by itself, beside the floor's header.
struct Static(HeaderValue);

#[async_trait]
impl Middleware for Static {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        request.headers_mut().insert(AUTHORIZATION, self.0.clone());
        next.run(request, extensions).await
    }
}

/// The usual design: the token as text behind an async lock, the header made for each request.
struct ByHand(Arc<RwLock<String>>);

#[async_trait]
impl Middleware for ByHand {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let value = HeaderValue::try_from(format!("Bearer {}", self.0.read().await));
        let value = value.map_err(Error::middleware)?;
        request.headers_mut().insert(AUTHORIZATION, value);
        next.run(request, extensions).await
    }
}
