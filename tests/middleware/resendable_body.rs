//! Bodies that can be read once, under retry: what the API gets when it rejects the token in the middle of one.

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tower::{ServiceBuilder, ServiceExt, retry::Policy, service_fn, util::BoxCloneSyncService};
use tower_oauth::{BoxError, OAuthLayer, ResendableBody, ResendableBodyLayer, TokenSource};

use crate::support::{Endpoint, layered::in_time, secs};

/// As long as the limit of the tests' layer.
const CHUNK: &str = "0123456789";

type Chunks = UnboundedSender<Result<Frame<Bytes>, BoxError>>;
type Service = BoxCloneSyncService<Request<axum::body::Body>, Response<&'static str>, BoxError>;

/// A request whose body arrives chunk by chunk, as axum would have it.
fn live() -> (Chunks, Request<axum::body::Body>) {
    let (sender, mut receiver) = unbounded_channel();
    let frames = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let body = axum::body::Body::new(StreamBody::new(frames));
    (
        sender,
        Request::post("https://api.example/cob").body(body).unwrap(),
    )
}

fn send(chunks: &Chunks, data: &'static str) {
    let frame = Frame::data(Bytes::from_static(data.as_bytes()));
    chunks.send(Ok(frame)).expect("the body is read");
}

/// An API that rejects `token-1` once a chunk has arrived, and goes on reading, as a connection does. It reads every
/// other request to its end.
#[derive(Clone, Default)]
struct Api {
    received: Arc<Mutex<Vec<String>>>,
}

impl Api {
    async fn call(
        self,
        mut request: Request<ResendableBody>,
    ) -> Result<Response<&'static str>, BoxError> {
        let sending = self.begin();
        let rejects = request.headers()["authorization"] == "Bearer token-1";
        let body = request.body_mut();
        self.read(sending, body, 1).await?;
        if rejects {
            tokio::spawn(async move { self.read(sending, request.body_mut(), usize::MAX).await });
            let response = Response::builder().status(StatusCode::UNAUTHORIZED);
            return Ok(response.body("rejected")?);
        }
        self.read(sending, body, usize::MAX).await?;
        Ok(Response::new("accepted"))
    }

    fn begin(&self) -> usize {
        let mut received = self.received.lock().unwrap();
        received.push(String::new());
        received.len() - 1
    }

    async fn read(
        &self,
        sending: usize,
        body: &mut ResendableBody,
        frames: usize,
    ) -> Result<(), BoxError> {
        for _ in 0..frames {
            let Some(frame) = body
                .frame()
                .await
                .transpose()
                .inspect_err(|_| self.note(sending, "!"))?
            else {
                self.note(sending, ".");
                return Ok(());
            };
            let data = frame.into_data().unwrap();
            self.note(sending, std::str::from_utf8(&data)?);
        }
        Ok(())
    }

    fn note(&self, sending: usize, text: &str) {
        self.received.lock().unwrap()[sending].push_str(text);
    }

    /// What arrived of each sending: a full stop for its end, an exclamation mark for its failure.
    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    fn behind(&self, source: TokenSource) -> Service {
        let api = self.clone();
        let service = ServiceBuilder::new()
            .layer(ResendableBodyLayer::new().limit(CHUNK.len()))
            .layer(OAuthLayer::new(source).retry_rejected())
            .service(service_fn(move |request| api.clone().call(request)));
        BoxCloneSyncService::new(service)
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_the_middle_sends_what_was_sent_and_then_the_rest() {
    let (endpoint, api) = (Endpoint::new(), Api::default());
    let service = api.behind(endpoint.source());
    let (chunks, request) = live();
    let response = tokio::spawn(service.oneshot(request));
    send(&chunks, "one ");
    // Long enough for a new token. Then the retry waits for the rest.
    tokio::time::sleep(secs(30)).await;
    assert_eq!(api.received(), ["one !", "one "]);
    send(&chunks, "two");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(api.received(), ["one !", "one two"]);
    drop(chunks);
    let response = in_time(response).await.unwrap().unwrap();
    assert_eq!(*response.body(), "accepted");
    assert_eq!(api.received(), ["one !", "one two."]);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_the_rejected_response_is_returned_at_once() {
    let (endpoint, api) = (Endpoint::new().latency(secs(1)), Api::default());
    let source = endpoint.source();
    source.ready().await.unwrap();
    let service = api.behind(source.clone());
    let (chunks, request) = live();
    let before = endpoint.elapsed();
    let response = tokio::spawn(service.oneshot(request));
    send(&chunks, "0123456789+");
    let response = in_time(response).await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(endpoint.elapsed(), before);
    assert_eq!(source.status().counters.rejections, 1);
    // The first sending was left alone.
    send(&chunks, "+");
    drop(chunks);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(api.received(), ["0123456789++."]);
}

/// It was within the limit when the response came.
#[tokio::test(start_paused = true)]
async fn a_sending_that_passes_the_limit_during_the_wait_for_a_token_is_not_retried() {
    let (endpoint, api) = (Endpoint::new().latency(secs(1)), Api::default());
    let service = api.behind(endpoint.source());
    let (chunks, request) = live();
    send(&chunks, CHUNK);
    let response = tokio::spawn(service.oneshot(request));
    tokio::time::sleep(secs(1) + secs(1) / 2).await;
    assert_eq!(api.received(), [CHUNK], "the retry waits for its token");
    send(&chunks, "+");
    let response = in_time(response).await.unwrap().unwrap();
    assert_eq!(*response.body(), "rejected");
    drop(chunks);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(api.received(), ["0123456789+."]);
}

/// Until there is a newer token, the rejected response may have to be returned, with a body of its own.
#[tokio::test(start_paused = true)]
async fn without_a_newer_token_the_first_sending_is_not_interrupted() {
    let (endpoint, api) = (Endpoint::new(), Api::default());
    let source = endpoint.source();
    source.ready().await.unwrap();
    endpoint.then_fail("no more tokens");
    let service = api.behind(source);
    let (chunks, request) = live();
    let response = tokio::spawn(service.oneshot(request));
    send(&chunks, "one ");
    let response = in_time(response).await.unwrap().unwrap();
    assert_eq!(*response.body(), "rejected");
    send(&chunks, "two");
    drop(chunks);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(api.received(), ["one two."]);
}

/// A retry outside, whose policy asks the body.
#[derive(Clone)]
struct AfterA503;

impl<C> Policy<Request<ResendableBody>, Response<C>, BoxError> for AfterA503 {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<ResendableBody>,
        result: &mut Result<Response<C>, BoxError>,
    ) -> Option<Ready<()>> {
        let failed = result.as_ref().is_ok_and(|it| it.status() == 503);
        (failed && request.body().can_be_resent()).then(|| ready(()))
    }

    fn clone_request(
        &mut self,
        request: &Request<ResendableBody>,
    ) -> Option<Request<ResendableBody>> {
        Some(request.clone())
    }
}

/// Four sendings of one body: two by each retry.
#[tokio::test(start_paused = true)]
async fn a_retry_outside_sends_the_body_again_after_the_layers_own() {
    for (limit, expected, sendings) in [(64, 200, 4), (2, 503, 1)] {
        let statuses = match expected {
            200 => vec![200, 401, 503, 401],
            _ => vec![503],
        };
        let statuses = Arc::new(Mutex::new(statuses));
        let received = Arc::new(Mutex::new(Vec::new()));
        let api = {
            let (statuses, received) = (statuses.clone(), received.clone());
            service_fn(move |request: Request<ResendableBody>| {
                let (statuses, received) = (statuses.clone(), received.clone());
                async move {
                    let body = request.into_body().collect().await?.to_bytes();
                    received.lock().unwrap().push(body);
                    let status = statuses.lock().unwrap().pop().expect("no more sendings");
                    Ok::<_, BoxError>(Response::builder().status(status).body(())?)
                }
            })
        };
        let service = ServiceBuilder::new()
            .layer(ResendableBodyLayer::new().limit(limit))
            .retry(AfterA503)
            .layer(OAuthLayer::new(Endpoint::new().source()).retry_rejected())
            .service(api);
        let (chunks, request) = live();
        send(&chunks, "one ");
        send(&chunks, "two");
        drop(chunks);
        let response = in_time(service.oneshot(request)).await.unwrap();
        assert_eq!(response.status(), expected);
        assert_eq!(*received.lock().unwrap(), vec!["one two"; sendings]);
    }
}
