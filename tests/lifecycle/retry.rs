//! What is sent again after a rejection, and what never is.

use crate::support::{
    Endpoint, bearer, get,
    layered::{Revoked, plain, retrying, send, status},
    request,
};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth::{BoxError, OAuthLayer};

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_is_what_was_sent_but_for_the_token() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    source.ready().await.unwrap();
    revoked.up_to(1);

    let service = retrying(&source, &api);
    assert_eq!(status(&service, intricate_request()).await, 200);
    let [mut first, mut second] = api.requests().try_into().unwrap();
    assert_eq!([bearer(&first), bearer(&second)], ["token-1", "token-2"]);
    for sent in [&mut first, &mut second] {
        sent.headers_mut().remove("authorization");
        assert_eq!(sent.extensions().get(), Some(&"kept"));
    }
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    assert_eq!(first.headers(), intricate_request().headers());
    assert_eq!(first.body(), intricate_request().body());
    assert_eq!(endpoint.attempts(), 2);
}

/// Whatever a request may hold that a retry could lose.
fn intricate_request() -> Request<String> {
    let body = "\u{0}body\r\n".repeat(1000);
    let mut request = request("POST", "/cob/1?a=%20b&a=c", &body);
    *request.version_mut() = Version::HTTP_10;
    let headers = request.headers_mut();
    headers.append("x-many", HeaderValue::from_static("one"));
    headers.append("x-many", HeaderValue::from_static("two"));
    headers.append("x-bytes", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    request.extensions_mut().insert("kept");
    request
}

#[tokio::test(start_paused = true)]
async fn a_definite_rejection_retries_any_method() {
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "QUERY"] {
        let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
        let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
        source.ready().await.unwrap();
        revoked.up_to(1);
        let service = retrying(&source, &api);
        assert_eq!(
            status(&service, request(method, "/", "pay")).await,
            200,
            "{method}"
        );
        assert_eq!((api.calls(), endpoint.attempts()), (2, 2), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_had_to_wait_for_its_token_is_retried_too() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    revoked.up_to(1);
    assert_eq!(status(&retrying(&source, &api), get("/")).await, 200);
    assert_eq!(api.tokens(), ["token-1", "token-2"]);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_can_be_read_once_is_not_retried_and_the_next_request_has_a_new_token() {
    struct Stream;
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let source = endpoint.source();
    let api = revoked.api(StatusCode::UNAUTHORIZED).service();
    let api = service_fn(move |request: Request<Stream>| {
        api.clone().oneshot(request.map(|_| String::new()))
    });
    let service = OAuthLayer::new(source.clone()).layer(api);
    source.ready().await.unwrap();
    revoked.up_to(1);
    let send = async || -> Response<String> {
        let request = Request::get("https://api.example/").body(Stream).unwrap();
        service.clone().oneshot(request).await.unwrap()
    };
    assert_eq!(send().await.status(), 401);
    assert_eq!(send().await.status(), 200);
    assert_eq!(source.status().counters.retries, 0);
    assert_eq!(endpoint.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_retry_a_rejected_response_is_handed_on_as_it_is() {
    let (endpoint, revoked) = (Endpoint::new(), Revoked::default());
    let (source, api) = (endpoint.source(), revoked.api(StatusCode::UNAUTHORIZED));
    source.ready().await.unwrap();
    revoked.up_to(1);
    let response = send(&plain(&source, &api), request("POST", "/", "as it is")).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.body(), "as it is");
    assert_eq!(api.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_inner_service_during_a_retry_is_the_callers() {
    let endpoint = Endpoint::new();
    let source = endpoint.source();
    let api = service_fn(|request: Request<String>| async move {
        match bearer(&request).as_str() {
            "token-1" => {
                let rejected = Response::builder().status(StatusCode::UNAUTHORIZED);
                Ok(rejected.body(String::new())?)
            }
            _ => Err::<_, BoxError>("connection reset".into()),
        }
    });
    let service = OAuthLayer::new(source).retry_rejected().layer(api);
    let error = service.oneshot(get("/")).await.unwrap_err();
    assert_eq!(error.to_string(), "connection reset");
    assert_eq!(endpoint.attempts(), 2);
}
