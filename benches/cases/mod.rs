//! The services that are compared: the floor, ours, and what people write by hand.

use std::{
    future::{Ready, ready},
    hint::black_box,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ORIGIN, USER_AGENT},
};
use http_body_util::Full;
use tokio::{runtime, sync::RwLock};
use tower::{
    Layer, Service, ServiceBuilder,
    retry::{Policy, RetryLayer},
};
use tower_http::set_header::SetRequestHeaderLayer;
use tower_oauth::{BoxError, OAuthLayer, Token, TokenHeaders, TokenRequest, TokenSource};

/// One call on one thread.
pub(crate) type Step = Box<dyn FnMut() -> StatusCode + Send>;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Makes what a thread calls.
    pub(crate) thread: Box<dyn Fn() -> Step>,
}

pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) cases: Vec<Case>,
}

pub(crate) type Body = Full<Bytes>;

/// The length of a JWT as banks issue them.
const TOKEN_LENGTH: usize = 1200;

pub(crate) fn groups() -> Vec<Group> {
    vec![
        Group {
            title: "one header, a clone of the service per thread",
            cases: vec![
                Case::per_thread("SetRequestHeaderLayer (the floor)", one_static()),
                Case::per_thread("no layer at all", Bank),
                Case::per_thread("tower-oauth", ours(&bearer())),
                Case::per_thread("tower-oauth, no origin named", ours_to_any_origin()),
                Case::per_thread("by hand: RwLock, format!", by_hand()),
            ],
        },
        Group {
            title: "one header, a clone of the service per request",
            cases: vec![
                Case::per_request("SetRequestHeaderLayer (the floor)", one_static()),
                Case::per_request("no layer at all", Bank),
                Case::per_request("tower-oauth", ours(&bearer())),
                Case::per_request("by hand: RwLock, format!", by_hand()),
            ],
        },
        Group {
            title: "two headers (ANBIMA), a clone per thread, against one static header",
            cases: vec![
                Case::per_thread("SetRequestHeaderLayer (the floor)", one_static()),
                Case::per_thread("no layer at all", Bank),
                Case::per_thread("two SetRequestHeaderLayers", two_static()),
                Case::per_thread("tower-oauth", ours(&anbima())),
            ],
        },
        Group {
            title: "with retry (the request is cloned)",
            cases: vec![
                Case::per_thread("SetRequestHeaderLayer (the floor)", one_static()),
                Case::per_thread("no layer at all", Bank),
                Case::per_thread("tower's Retry over the floor", retry()),
                Case::per_thread("tower-oauth, retry", ours_with_retry(&bearer())),
            ],
        },
    ]
}

impl Case {
    fn per_thread<S>(name: &'static str, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<()>> + Clone + Send + 'static,
        S::Error: std::fmt::Debug,
    {
        let thread = move || -> Step {
            let mut service = service.clone();
            Box::new(move || call(&mut service))
        };
        Self {
            name,
            thread: Box::new(thread),
        }
    }

    /// As axum and hyper do.
    fn per_request<S>(name: &'static str, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<()>> + Clone + Send + Sync + 'static,
        S::Error: std::fmt::Debug,
    {
        let service = Arc::new(service);
        let thread = move || -> Step {
            let service = service.clone();
            Box::new(move || call(&mut S::clone(&service)))
        };
        Self {
            name,
            thread: Box::new(thread),
        }
    }
}

/// One request through a service that is always ready and answers at once.
pub(crate) fn call<S>(service: &mut S) -> StatusCode
where
    S: Service<Request<Body>, Response = Response<()>>,
    S::Error: std::fmt::Debug,
{
    let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
    assert!(service.poll_ready(&mut context).is_ready());
    let response = service.call(request()).now_or_never();
    response
        .expect("nothing to wait for")
        .expect("nothing to fail")
        .status()
}

/// Made of parts that need no parsing, so that it weighs little beside what is measured.
fn request() -> Request<Body> {
    static URI: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("https://api.example/cob/1"));
    let value = HeaderValue::from_static;
    let mut request = Request::new(Full::default());
    *request.uri_mut() = URI.clone();
    let headers = request.headers_mut();
    headers.insert(ACCEPT, value("application/json"));
    headers.insert(USER_AGENT, value("bench/1"));
    headers.insert(ORIGIN, value("https://bench.example"));
    headers.insert(CONTENT_TYPE, value("application/json"));
    request
}

/// The innermost service: answers 200.
#[derive(Clone)]
pub(crate) struct Bank;

impl Service<Request<Body>> for Bank {
    type Response = Response<()>;
    type Error = BoxError;
    type Future = Ready<Result<Response<()>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        black_box(&request);
        ready(Ok(Response::new(())))
    }
}

pub(crate) trait Api:
    Service<Request<Body>, Response = Response<()>, Error = BoxError> + Clone + Send + Sync + 'static
{
}

impl<S> Api for S where
    S: Service<Request<Body>, Response = Response<()>, Error = BoxError>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Refcounted, as a value made at run time is.
fn value(prefix: &str) -> HeaderValue {
    let text = format!("{prefix}{}", "t".repeat(TOKEN_LENGTH));
    HeaderValue::try_from(text).expect("a header value")
}

fn one_static() -> impl Api {
    SetRequestHeaderLayer::overriding(AUTHORIZATION, value("Bearer ")).layer(Bank)
}

fn two_static() -> impl Api {
    let set = SetRequestHeaderLayer::overriding;
    ServiceBuilder::new()
        .layer(set(HeaderName::from_static("client_id"), value("")))
        .layer(set(HeaderName::from_static("access_token"), value("")))
        .service(Bank)
}

pub(crate) fn bearer() -> TokenHeaders {
    TokenHeaders::bearer()
}

pub(crate) fn anbima() -> TokenHeaders {
    TokenHeaders::none()
        .with("client_id", "0123456789abcdef")
        .and_then(|headers| headers.with("access_token", "{token}"))
        .expect("two headers")
}

pub(crate) fn ours(headers: &TokenHeaders) -> impl Api + use<> {
    OAuthLayer::new(source(headers, Some(API))).layer(Bank)
}

fn ours_to_any_origin() -> impl Api {
    OAuthLayer::new(source(&bearer(), None)).layer(Bank)
}

fn ours_with_retry(headers: &TokenHeaders) -> impl Api + use<> {
    OAuthLayer::new(source(headers, Some(API)))
        .retry_rejected()
        .layer(Bank)
}

const API: &str = "https://api.example";

/// A source that has its token: with its origin listed or none, both clocks and the look at the response.
fn source(headers: &TokenHeaders, origin: Option<&str>) -> TokenSource {
    let fetcher = tower::service_fn(|_: TokenRequest| async {
        Ok::<_, BoxError>(
            Token::new("t".repeat(TOKEN_LENGTH))
                .with_lifetime(std::time::Duration::from_secs(3600)),
        )
    });
    let builder = TokenSource::builder(fetcher).headers(headers.clone());
    let builder = origin
        .into_iter()
        .fold(builder, |it, origin| it.origin(origin));
    let source = builder.build().expect("a source");
    // On this thread: others would add instructions as they wake and sleep.
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let ready = runtime.expect("a runtime").block_on(source.ready());
    ready.expect("a token");
    source
}

/// The usual design: the token as text behind an async lock, the header made for each request, the future boxed.
fn by_hand() -> impl Api {
    ByHand {
        inner: Bank,
        token: Arc::new(RwLock::new("t".repeat(TOKEN_LENGTH))),
    }
}

#[derive(Clone)]
struct ByHand {
    inner: Bank,
    token: Arc<RwLock<String>>,
}

impl Service<Request<Body>> for ByHand {
    type Response = Response<()>;
    type Error = BoxError;
    type Future = futures_util::future::BoxFuture<'static, Result<Response<()>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (mut inner, token) = (self.inner.clone(), self.token.clone());
        Box::pin(async move {
            let value = HeaderValue::try_from(format!("Bearer {}", token.read().await))?;
            request.headers_mut().insert(AUTHORIZATION, value);
            inner.call(request).await
        })
    }
}

fn retry() -> impl Api {
    RetryLayer::new(Once).layer(one_static())
}

/// Retries rejected requests, as the layer's retry does.
#[derive(Clone)]
struct Once;

impl Policy<Request<Body>, Response<()>, BoxError> for Once {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<()>, BoxError>,
    ) -> Option<Ready<()>> {
        let rejected =
            matches!(result, Ok(response) if response.status() == StatusCode::UNAUTHORIZED);
        rejected.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(request.clone())
    }
}
