//! A gRPC server over HTTP/2 that echoes text in each kind of call, and rejects tokens. No code is generated: the
//! messages are texts, and the paths are written out.

#![allow(dead_code, unreachable_pub, reason = "each user takes its part")]

use std::{
    collections::HashSet,
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use bytes::{Buf, BufMut};
use futures_util::{Stream, TryStreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{AbortHandle, JoinSet},
};
use tonic::{
    Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::Grpc,
};

pub const UNARY: &str = "/test.Echo/Unary";
/// Answers with the words of the request, one message each.
pub const SPLIT: &str = "/test.Echo/Split";
/// Answers with all messages in one.
pub const JOIN: &str = "/test.Echo/Join";
/// Answers each message.
pub const TALK: &str = "/test.Echo/Talk";
/// Sends a message before it looks at the token, so that its status comes in the trailers.
pub const LATE: &str = "/test.Echo/Late";

/// Messages that are texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        let text = String::from_utf8(bytes.into());
        text.map(Some).map_err(|_| Status::internal("not a text"))
    }
}

/// It stops when it is dropped.
pub struct EchoServer {
    origin: String,
    state: Arc<State>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct State {
    /// The token of each call.
    seen: Mutex<Vec<String>>,
    revoked: Mutex<HashSet<String>>,
    accepted: Notify,
}

impl EchoServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let accepting = tokio::spawn(accept(listener, state.clone())).abort_handle();
        Self {
            origin,
            state,
            accepting,
        }
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many calls arrived.
    pub fn calls(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }

    /// Rejects every token that it has seen so far.
    pub fn revoke_all(&self) {
        let seen = self.state.seen.lock().unwrap();
        self.state
            .revoked
            .lock()
            .unwrap()
            .extend(seen.iter().cloned());
    }

    /// Returns once a call with a good token has begun. Calls that nobody waited for count as one.
    pub async fn accepted(&self) {
        self.state.accepted.notified().await;
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, state.clone()));
    }
}

/// How a connection ends is the client's to see.
async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(state.answer(request).await) }
    });
    let server = http2::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

impl State {
    async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let is_revoked = self.note(request.headers());
        let path = request.uri().path().to_owned();
        if is_revoked && path != LATE {
            // In the middle of the call.
            let _ = request.body_mut().frame().await;
            return Status::unauthenticated("the token was revoked").into_http();
        }
        self.accepted.notify_one();
        let mut grpc = Grpc::new(Text);
        match path.as_str() {
            UNARY => grpc.unary(tower::service_fn(echo), request).await,
            SPLIT => {
                grpc.server_streaming(tower::service_fn(split), request)
                    .await
            }
            JOIN => {
                grpc.client_streaming(tower::service_fn(join), request)
                    .await
            }
            TALK => grpc.streaming(tower::service_fn(talk), request).await,
            _ => {
                let late = tower::service_fn(|_| async move { late(is_revoked) });
                grpc.server_streaming(late, request).await
            }
        }
    }

    /// Whether the token of a call is revoked.
    fn note(&self, headers: &HeaderMap) -> bool {
        let token = headers["authorization"].to_str().unwrap().to_owned();
        let is_revoked = self.revoked.lock().unwrap().contains(&token);
        self.seen.lock().unwrap().push(token);
        is_revoked
    }
}

type Answer<T> = Result<tonic::Response<T>, Status>;

async fn echo(request: tonic::Request<String>) -> Answer<String> {
    Ok(tonic::Response::new(request.into_inner()))
}

async fn split(
    request: tonic::Request<String>,
) -> Answer<impl Stream<Item = Result<String, Status>>> {
    let text = request.into_inner();
    let words: Vec<_> = text.split(' ').map(|word| Ok(word.to_owned())).collect();
    Ok(tonic::Response::new(stream::iter(words)))
}

async fn join(request: tonic::Request<Streaming<String>>) -> Answer<String> {
    let words: Vec<String> = request.into_inner().try_collect().await?;
    Ok(tonic::Response::new(words.join(" ")))
}

async fn talk(request: tonic::Request<Streaming<String>>) -> Answer<Streaming<String>> {
    Ok(tonic::Response::new(request.into_inner()))
}

fn late(is_revoked: bool) -> Answer<impl Stream<Item = Result<String, Status>>> {
    let end = is_revoked.then(|| Err(Status::unauthenticated("the token was revoked")));
    let first = Ok("first".to_owned());
    Ok(tonic::Response::new(stream::iter(
        [first].into_iter().chain(end),
    )))
}
