//! A URI without an origin, as a tonic channel and an axum `Router` get it.

use crate::{
    origins::to,
    support::{
        Api, Endpoint,
        layered::{plain, reject},
    },
};
use http::{
    Request, Uri,
    uri::{Parts, PathAndQuery},
};
use tower::{Layer, ServiceExt};
use tower_oauth::{OAuthError, OAuthLayer};

#[tokio::test(start_paused = true)]
async fn a_relative_uri_needs_relative_to() {
    let endpoint = Endpoint::new();
    let source = endpoint
        .builder()
        .origin("https://api.example")
        .build()
        .unwrap();
    let api = Api::ok();
    for uri in ["/cob", "*", "api.example:443"] {
        assert!(
            reject(&plain(&source, &api), to(uri))
                .await
                .is_foreign_origin(),
            "{uri}"
        );
    }
    assert_eq!((api.calls(), endpoint.attempts()), (0, 0));

    let layer = OAuthLayer::new(source)
        .relative_to("https://api.example")
        .unwrap();
    let service = layer.layer(api.service());
    let response = service.clone().oneshot(to("/cob")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(api.tokens(), ["token-1"]);
    for uri in [
        "https://evil.example/cob",
        "http://api.example/cob",
        "api.example:443",
    ] {
        assert!(service.clone().oneshot(to(uri)).await.is_err(), "{uri}");
    }
    assert_eq!((api.calls(), endpoint.attempts()), (1, 1));
}

/// An inner service puts its origin before the path, or joins the two.
#[tokio::test(start_paused = true)]
async fn a_relative_uri_that_would_extend_or_replace_the_host_is_rejected() {
    let (endpoint, api) = (Endpoint::new(), Api::ok());
    let layer = OAuthLayer::new(endpoint.source())
        .relative_to("https://api.example")
        .unwrap();
    let service = layer.layer(api.service());
    let by_path = |text: &str| {
        let mut parts = Parts::default();
        parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
        let mut request = Request::new(String::new());
        *request.uri_mut() = Uri::from_parts(parts).unwrap();
        Some(request)
    };
    // What `http` takes for a path differs from one version to the next; the first two are one to all of them.
    let paths = [
        "//evil.example/",
        "/\\evil.example/",
        "*",
        "?@evil.example/",
        "@evil.example/",
        ".evil.example/",
        ":1@evil.example/",
        "\\\\evil.example/",
    ];
    let requests: Vec<_> = paths.into_iter().filter_map(by_path).collect();
    assert!(requests.len() >= 2);
    for request in requests {
        let uri = request.uri().clone();
        let error = service.clone().oneshot(request).await.unwrap_err();
        let error = OAuthError::find(error.as_ref()).unwrap();
        assert!(error.is_foreign_origin(), "{uri}: {error}");
        assert!(error.to_string().contains("path"), "{uri}: {error}");
    }
    let nothing = Request::builder().uri(Uri::default()).body(String::new());
    let response = service.oneshot(nothing.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!((api.calls(), endpoint.attempts()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn relative_to_must_be_one_of_the_sources_origins() {
    let endpoint = Endpoint::new();
    let listed = endpoint
        .builder()
        .origin("https://api.example")
        .build()
        .unwrap();
    let any = endpoint.source();
    for (source, origin) in [
        (&listed, "https://evil.example"),
        (&listed, "http://api.example"),
        (&any, "http://api.example"),
    ] {
        let error = OAuthLayer::new(source.clone())
            .relative_to(origin)
            .unwrap_err();
        assert_eq!(error.field(), "relative_to", "{origin}");
    }
    assert!(
        OAuthLayer::new(any)
            .relative_to("http://localhost:3000")
            .is_ok()
    );
}
