//! Below a layer that follows redirects, every hop meets the origin check.

use crate::support::{Api, Endpoint};
use http::{HeaderValue, Request, StatusCode, header::LOCATION};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_oauth::{BoxError, OAuthError, OAuthLayer, Origin, TokenHeaders};

const HOME: &str = "https://api.anbima.com.br";

fn is_home(request: &Request<String>) -> bool {
    Origin::of(request.uri()).is_ok_and(|origin| origin.to_string() == HOME)
}

/// An API that answers `/start` with a redirect, and everything else with 200.
fn redirecting(status: StatusCode) -> Api {
    Api::new(move |request| match request.uri().path() {
        "/start" => status,
        _ => StatusCode::OK,
    })
}

/// The documented order, with ANBIMA's two headers: redirects outside, the token inside.
fn anbima(
    endpoint: &Endpoint,
    api: &Api,
    location: &'static str,
) -> impl Service<Request<String>, Error = BoxError, Future: Send, Response = http::Response<String>>
+ use<> {
    let headers = TokenHeaders::none()
        .with("client_id", "canary-id")
        .and_then(|headers| headers.with("access_token", "{token}"))
        .unwrap();
    let source = endpoint
        .builder()
        .headers(headers)
        .origin(HOME)
        .build()
        .unwrap();
    let api = api
        .service()
        .map_response(move |mut response: http::Response<String>| {
            let location = HeaderValue::from_static(location);
            response.headers_mut().insert(LOCATION, location);
            response
        });
    ServiceBuilder::new()
        .layer(FollowRedirectLayer::new())
        .layer(OAuthLayer::new(source).retry_rejected())
        .service(api)
}

fn start(method: &str) -> Request<String> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{HOME}/start"));
    request.body(String::new()).unwrap()
}

const REDIRECTS: [StatusCode; 5] = [
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::FOUND,
    StatusCode::SEE_OTHER,
    StatusCode::TEMPORARY_REDIRECT,
    StatusCode::PERMANENT_REDIRECT,
];

#[tokio::test(start_paused = true)]
async fn a_redirect_to_a_foreign_origin_is_rejected_and_nothing_goes_there() {
    let foreign = [
        "https://evil.example/x",
        "//evil.example/x",
        "http://api.anbima.com.br/x",
        "https://api.anbima.com.br:8443/x",
        "https://api.anbima.com.br@evil.example/x",
        "https://api.anbima.com.br./x",
    ];
    for status in REDIRECTS {
        for (location, method) in foreign.into_iter().zip(["GET", "POST"].into_iter().cycle()) {
            let (endpoint, api) = (Endpoint::new(), redirecting(status));
            let service = anbima(&endpoint, &api, location);
            let error = service.oneshot(start(method)).await.unwrap_err();
            let case = format!("{status} to {location}");
            assert!(
                OAuthError::find(error.as_ref())
                    .unwrap()
                    .is_foreign_origin(),
                "{case}"
            );
            assert_eq!((api.calls(), endpoint.attempts()), (1, 1), "{case}");
            assert!(api.requests().iter().all(is_home), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_within_the_origin_is_followed_with_the_token() {
    for location in ["/next", "https://API.anbima.com.br:443/next"] {
        for status in REDIRECTS {
            let (endpoint, api) = (Endpoint::new(), redirecting(status));
            let service = anbima(&endpoint, &api, location);
            assert_eq!(service.oneshot(start("GET")).await.unwrap().status(), 200);
            let tokens: Vec<_> = api
                .requests()
                .iter()
                .map(|it| it.headers()["access_token"].clone())
                .collect();
            assert_eq!(tokens, ["token-1", "token-1"], "{status} to {location}");
            assert_eq!(endpoint.attempts(), 1);
        }
    }
}
