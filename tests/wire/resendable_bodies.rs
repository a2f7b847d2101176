//! Bodies that are not `Clone`, retried over sockets: axum's and reqwest's, through hyper's client and reqwest's.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::TRAILER};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use hyper_util::{client::legacy::Client as HyperClient, rt::TokioExecutor};
use tokio::{
    net::TcpListener,
    sync::{
        Notify,
        mpsc::{UnboundedSender, unbounded_channel},
    },
    time::timeout,
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, OAuthLayer, ResendableBody, ResendableBodyLayer, Token, TokenRequest, TokenSource,
    testing::Bank, transport::ReqwestService,
};

use crate::stack::{CLIENTS, Client, PATIENCE, preset, reqwest_builder};

type Http = BoxCloneSyncService<Request<ResendableBody>, Response<Bytes>, BoxError>;

fn http(client: Client, origin: &str) -> Http {
    match client {
        Client::Hyper => {
            collected(HyperClient::builder(TokioExecutor::new()).build_http::<ResendableBody>())
        }
        Client::Reqwest => {
            let origin = origin.parse().unwrap();
            collected(ReqwestService::new(reqwest_builder(), &origin).unwrap())
        }
    }
}

fn collected<S, C>(client: S) -> Http
where
    S: Service<Request<ResendableBody>, Response = Response<C>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    C: Body<Data = Bytes> + Send,
    C::Error: Into<BoxError>,
{
    BoxCloneSyncService::new(service_fn(move |request| {
        let client = client.clone();
        async move {
            let response = client.oneshot(request).await.map_err(Into::into)?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(Into::into)?;
            Ok(Response::from_parts(head, body.to_bytes()))
        }
    }))
}

fn chunks() -> impl futures_util::Stream<Item = Result<Bytes, BoxError>> + Send + Sync + 'static {
    stream::iter(["a pay", "ment"]).map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
}

/// The bank reads a request to its end before it looks at the token.
async fn posted<B>(client: Client, body: impl Fn() -> B)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let bank = Bank::avista().start().await.unwrap();
    let source = client.source(preset(&bank));
    let api = ServiceBuilder::new()
        .layer(ResendableBodyLayer::new())
        .layer(OAuthLayer::new(source.clone()).retry_rejected())
        .service(http(client, &bank.api_origin()));
    source.ready().await.unwrap();
    bank.expire_all();
    let request = Request::post(bank.api_url()).body(body()).unwrap();
    let response = api.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{client:?}");
    let echo: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(echo["body"], "a payment", "{client:?}");
    let counters = bank.counters();
    assert_eq!((counters.api_unauthorized, counters.api_ok), (1, 1));
}

#[tokio::test]
async fn a_stream_is_posted_again_after_a_401() {
    for client in CLIENTS {
        posted(client, || axum::body::Body::from_stream(chunks())).await;
        let frames = || chunks().map(|chunk| chunk.map(Frame::data));
        posted(client, || reqwest::Body::wrap(StreamBody::new(frames()))).await;
    }
}

/// An API that looks at the token first, and rejects it when a part of the body has arrived.
struct EarlyApi {
    /// A chunk of a request with a good token is there.
    begun: Notify,
}

impl EarlyApi {
    async fn start(self: Arc<Self>) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/", post(Self::answer))
            .with_state(self);
        tokio::spawn(async move { axum::serve(listener, app).await });
        origin
    }

    async fn answer(
        State(this): State<Arc<Self>>,
        headers: HeaderMap,
        request: axum::extract::Request,
    ) -> (StatusCode, String) {
        let mut body = request.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        if headers["authorization"] == "Bearer revoked" {
            return (StatusCode::UNAUTHORIZED, String::new());
        }
        this.begun.notify_one();
        let rest = body.collect().await.unwrap();
        let sum = rest.trailers().and_then(|trailers| trailers.get("x-sum"));
        let sum = format!("; {:?}", sum.unwrap());
        let text = [first, rest.to_bytes(), sum.into()].concat();
        (StatusCode::OK, String::from_utf8(text).unwrap())
    }
}

fn two_tokens() -> TokenSource {
    TokenSource::builder(service_fn(async |request: TokenRequest| {
        let replaces = request.previous().is_some();
        Ok::<_, BoxError>(Token::new(if replaces { "good" } else { "revoked" }))
    }))
    .build()
    .unwrap()
}

type Sender = UnboundedSender<Result<Frame<Bytes>, BoxError>>;

fn live() -> (Sender, axum::body::Body) {
    let (sender, mut receiver) = unbounded_channel();
    let frames = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    (sender, axum::body::Body::new(StreamBody::new(frames)))
}

/// The rest of the body is made only when the second sending has begun.
#[tokio::test]
async fn a_rejection_in_the_middle_of_a_body_costs_nothing_of_it() {
    for client in CLIENTS {
        let api = Arc::new(EarlyApi {
            begun: Notify::new(),
        });
        let origin = api.clone().start().await;
        let service = ServiceBuilder::new()
            .layer(ResendableBodyLayer::new())
            .layer(OAuthLayer::new(two_tokens()).retry_rejected())
            .service(http(client, &origin));
        let (frames, body) = live();
        let request = Request::builder().method(Method::POST).uri(&origin);
        let request = request.header(TRAILER, "x-sum").body(body).unwrap();
        let response = tokio::spawn(service.oneshot(request));
        frames.send(Ok(Frame::data("one, ".into()))).unwrap();
        let begun = timeout(PATIENCE, api.begun.notified()).await;
        begun.unwrap_or_else(|_| panic!("{client:?}"));
        frames.send(Ok(Frame::data("two".into()))).unwrap();
        let sum = HeaderValue::from_static("3");
        let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), sum)]);
        frames.send(Ok(Frame::trailers(trailers))).unwrap();
        drop(frames);
        let response = timeout(PATIENCE, response).await.unwrap().unwrap().unwrap();
        assert_eq!(response.body(), "one, two; \"3\"", "{client:?}");
    }
}
