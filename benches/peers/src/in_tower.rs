//! Layers over a service that answers at once.

use std::{
    fmt::Debug,
    future::{Ready, ready},
    hint::black_box,
    marker::PhantomData,
    sync::LazyLock,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::noop_waker_ref;
use http::{Request, Response, Uri, header::AUTHORIZATION};
use http_body_util::Full;
use kube_client::{Config, client::ConfigExt};
use toolkit_auth::{BearerAuthLayer, OAuthClientConfig, SecretString, TokenProvider};
use toolkit_http::HttpError;
use tower::{BoxError, Layer, Service};
use tower_http::set_header::SetRequestHeaderLayer;
use tower_oauth::OAuthLayer;

use crate::{
    Peer, Stack,
    measure::Case,
    token::{API, RUNTIME, TOKEN, endpoint, look_at, now, put_headers, source, value},
};

pub(crate) type Body = Full<Bytes>;

pub(crate) static URI: LazyLock<Uri> = LazyLock::new(|| Uri::from_static(API));

pub(crate) fn stack() -> Stack {
    let bank = Bank::<BoxError>::new();
    Stack {
        base: case(bank),
        peers: vec![
            Peer {
                name: "SetRequestHeaderLayer (the floor)",
                package: "tower-http",
                case: case(SetRequestHeaderLayer::overriding(AUTHORIZATION, value()).layer(bank)),
            },
            Peer {
                name: "tower-oauth",
                package: "tower-oauth",
                case: case(OAuthLayer::new(source()).layer(bank)),
            },
            Peer {
                name: "kube-client, AuthLayer with a token file",
                package: "kube-client",
                case: case(kube().layer(bank)),
            },
        ],
    }
}

/// Its layer takes services that fail with its own error alone.
pub(crate) fn gears() -> Stack {
    let bank = Bank::<HttpError>::new();
    Stack {
        base: case(bank),
        peers: vec![Peer {
            name: "cf-gears-toolkit-auth, BearerAuthLayer",
            package: "cf-gears-toolkit-auth",
            case: case(BearerAuthLayer::new(provider()).layer(bank)),
        }],
    }
}

/// It would read its file again within a minute, and keeps the token that it has where there is none.
fn kube() -> kube_client::client::middleware::AuthLayer {
    let file = std::env::temp_dir().join("tower-oauth-peers-token");
    std::fs::write(&file, TOKEN.as_str()).expect("a token file");
    let mut config = Config::new(URI.clone());
    config.auth_info.token_file = Some(file.to_string_lossy().into_owned());
    let layer = config.auth_layer().expect("a token");
    std::fs::remove_file(file).expect("the token file");
    layer.expect("a layer")
}

fn provider() -> TokenProvider {
    let config = OAuthClientConfig {
        token_endpoint: Some(endpoint().parse().expect("an address")),
        client_id: "bench".into(),
        client_secret: SecretString::new("bench"),
        ..OAuthClientConfig::default()
    };
    RUNTIME.block_on(async {
        let provider = TokenProvider::new(config).expect("a provider");
        provider.get().await.expect("a token");
        provider
    })
}

/// A clone of the service for each thread.
fn case<S>(service: S) -> Case
where
    S: Service<Request<Body>, Response = Response<()>> + Clone + Send + 'static,
    S::Error: Debug,
{
    Case::new(move || {
        let mut service = service.clone();
        move || {
            let mut context = Context::from_waker(noop_waker_ref());
            assert!(service.poll_ready(&mut context).is_ready());
            black_box(now(service.call(request())));
        }
    })
}

pub(crate) fn request() -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.uri_mut() = URI.clone();
    put_headers(request.headers_mut());
    request
}

pub(crate) struct Bank<E>(PhantomData<fn() -> E>);

impl<E> Bank<E> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E> Clone for Bank<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Bank<E> {}

impl<E> Service<Request<Body>> for Bank<E> {
    type Response = Response<()>;
    type Error = E;
    type Future = Ready<Result<Response<()>, E>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        look_at(black_box(&request).headers());
        ready(Ok(Response::new(())))
    }
}
