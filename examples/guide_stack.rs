//! The code of the guide `docs/stack.md`: every layer in its place, over a client that stands for an API.
//!
//! ```sh
//! cargo run --example guide_stack
//! ```

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{
    Service, ServiceBuilder, ServiceExt, retry::Policy, service_fn, timeout::TimeoutLayer,
};
use tower_http::{follow_redirect::FollowRedirectLayer, trace::TraceLayer};
use tower_oauth::{
    BoxError, OAuthError, OAuthLayer, ResendableBody, ResendableBodyLayer, Token, TokenRequest,
    TokenSource,
};

/// Sends a request once more if that is safe and may help.
#[derive(Clone)]
struct OnceMore {
    left: u32,
}

impl<B: Clone, C> Policy<Request<B>, Response<C>, BoxError> for OnceMore {
    type Future = Ready<()>; // in production: a wait, with jitter

    fn retry(
        &mut self,
        request: &mut Request<B>,
        result: &mut Result<Response<C>, BoxError>,
    ) -> Option<Ready<()>> {
        let may_pass = match result {
            Ok(response) => response.status().is_server_error(),
            // The source has retried already. `retry_at()` says when it will try again.
            Err(error) => OAuthError::find(error.as_ref()).is_none(),
        };
        if self.left == 0 || !may_pass || !request.method().is_idempotent() {
            return None;
        }
        self.left -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let fetcher = service_fn(|_: TokenRequest| async { Ok::<_, BoxError>(Token::new("abc")) });
    let source = TokenSource::builder(fetcher)
        .origin("https://api.example")
        .build()?;
    let requests = Arc::new(AtomicUsize::new(0));
    let client = api(requests.clone());

    let api = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .timeout(Duration::from_secs(60))
        .retry(OnceMore { left: 1 })
        .layer(FollowRedirectLayer::new())
        .layer(OAuthLayer::new(source).retry_rejected())
        .layer(TimeoutLayer::new(Duration::from_secs(10)))
        .concurrency_limit(64)
        .service(client);

    // A 503, the second attempt, and a redirect: three requests, each with the token.
    let request = Request::get("https://api.example/old").body(String::new())?;
    assert_eq!(api.clone().oneshot(request).await?.status(), 200);
    assert_eq!(requests.load(Ordering::Relaxed), 3);

    // A redirect to another host is an error, and nothing is sent there.
    let request = Request::get("https://api.example/away").body(String::new())?;
    let error = api.oneshot(request).await.err().expect("a foreign origin");
    assert!(
        OAuthError::find(error.as_ref())
            .unwrap()
            .is_foreign_origin()
    );
    assert_eq!(requests.load(Ordering::Relaxed), 4);
    upload().await
}

/// A body that can be read once, under retry: the API rejects the first token.
async fn upload() -> Result<(), BoxError> {
    let fetcher = service_fn(async |request: TokenRequest| {
        let is_first = request.previous().is_none();
        Ok::<_, BoxError>(Token::new(if is_first { "revoked" } else { "good" }))
    });
    let source = TokenSource::builder(fetcher).build()?;
    let client = service_fn(async |request: Request<ResendableBody>| {
        let rejects = request.headers()["authorization"] == "Bearer revoked";
        let mut response = Response::new(request.into_body().collect().await?.to_bytes());
        if rejects {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        Ok::<_, BoxError>(response)
    });

    let api = ServiceBuilder::new()
        .layer(ResendableBodyLayer::new().limit(16 * 1024)) // default: 64 KiB
        .layer(OAuthLayer::new(source).retry_rejected())
        .service(client); // takes `Request<ResendableBody>`

    let chunks = ["an ", "upload"].map(Ok::<_, Infallible>);
    let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
    let response = api
        .oneshot(Request::post("https://api.example/files").body(body)?)
        .await?;
    assert_eq!(response.status(), 200);
    assert_eq!(response.body(), "an upload");
    Ok(())
}

/// Fails at first. Then `/old` redirects to `/new`, and `/away` to another host.
fn api(
    requests: Arc<AtomicUsize>,
) -> impl Service<Request<String>, Response = Response<String>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(move |request: Request<String>| {
        assert_eq!(request.headers()["authorization"], "Bearer abc");
        assert_eq!(request.uri().host(), Some("api.example"));
        let (status, location) = match (
            requests.fetch_add(1, Ordering::Relaxed),
            request.uri().path(),
        ) {
            (0, _) => (503, None),
            (_, "/old") => (307, Some("/new")),
            (_, "/away") => (307, Some("https://evil.example/")),
            _ => (200, None),
        };
        let mut response = Response::builder().status(status);
        if let Some(location) = location {
            response = response.header("location", location);
        }
        ready(Ok(response.body(String::new()).expect("a valid response")))
    })
}
