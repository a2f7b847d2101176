//! A token goes to the origins it is for, and nowhere else.

mod support;

use http::{Request, Uri};
use support::{
    Api, Endpoint,
    layered::{plain, refuse, status},
};

fn to(uri: &str) -> Request<String> {
    Request::get(uri).body(String::new()).unwrap()
}

/// Sends to each URI and expects that each arrives with a token.
async fn assert_attached(endpoint: &Endpoint, origins: &[&str], uris: &[&str]) {
    let builder = origins
        .iter()
        .fold(endpoint.builder(), |it, origin| it.origin(*origin));
    let (source, api) = (builder.build().unwrap(), Api::ok());
    let service = plain(&source, &api);
    for uri in uris {
        assert_eq!(status(&service, to(uri)).await, 200, "{uri}");
    }
    assert_eq!(api.tokens(), vec!["token-1"; uris.len()]);
    assert_eq!(endpoint.fetches(), 1);
}

/// Sends to each URI and expects that none arrives, nor is a token fetched for it.
async fn assert_refused(endpoint: &Endpoint, origins: &[&str], uris: &[&str]) {
    let builder = origins
        .iter()
        .fold(endpoint.builder(), |it, origin| it.origin(*origin));
    let (source, api) = (builder.build().unwrap(), Api::ok());
    let service = plain(&source, &api);
    for uri in uris {
        let error = refuse(&service, to(uri)).await;
        assert!(error.is_foreign_origin(), "{uri}: {error}");
        assert_eq!(error.kind().as_str(), "foreign_origin");
    }
    assert_eq!((api.calls(), endpoint.fetches()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_list_https_and_loopback_get_the_token() {
    let uris = [
        "https://api.example/",
        "https://api.example:8443/cob?a=b",
        "http://localhost:8080/",
        "http://LocalHost/",
        "http://127.0.0.1:9200/",
        "http://127.255.255.254/",
        "http://[::1]:9200/",
    ];
    assert_attached(&Endpoint::new(), &[], &uris).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_list_plain_http_does_not() {
    let uris = [
        "http://api.example/",
        "http://localhost.example/",
        "http://localhost./",
        "http://127.0.0.1.example/",
        "http://127.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0.0.0.0/",
        "http://192.168.0.1/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "ws://localhost/",
        "file://localhost/x",
    ];
    assert_refused(&Endpoint::new(), &[], &uris).await;
}

#[tokio::test(start_paused = true)]
async fn a_listed_origin_is_compared_by_scheme_host_and_port() {
    let origins = [
        "https://api.example",
        "https://[2001:db8::1]:8443",
        "http://localhost:9200",
    ];
    let uris = [
        "https://api.example/",
        "https://api.example:443/",
        "HTTPS://API.Example/cob",
        "https://[2001:DB8::1]:8443/",
        "http://LOCALHOST:9200/",
    ];
    assert_attached(&Endpoint::new(), &origins, &uris).await;
}

#[tokio::test(start_paused = true)]
async fn another_origin_is_an_error_and_no_tricks_get_past_it() {
    let origins = [
        "https://api.example",
        "https://[2001:db8::1]:8443",
        "http://localhost:9200",
    ];
    let uris = [
        // another scheme, host or port
        "http://api.example/",
        "http://api.example:443/",
        "https://evil.example/",
        "https://api.example:8443/",
        "https://api.example:80/",
        "http://localhost/",
        "http://127.0.0.1:9200/",
        "https://[2001:db8::1]/",
        "https://[2001:db8::2]:8443/",
        // what looks like it
        "https://api.example./",
        "https://api.example.evil.example/",
        "https://sub.api.example/",
        "https://evil.example/https://api.example/",
        "https://evil.example/?https://api.example",
        // user information
        "https://user@api.example/",
        "https://@api.example/",
        "https://api.example@evil.example/",
        "https://api.example:443@evil.example/",
        // a port that is none
        "https://api.example:0/",
        "https://api.example:99999/",
        "https://api.example:/",
    ];
    assert_refused(&Endpoint::new(), &origins, &uris).await;
}

#[test]
fn other_tricks_are_not_even_a_uri() {
    for uri in [
        "https://ápi.example/",
        "https://api.example\u{2024}evil/",
        "https://api%2eexample/",
        "https://api.example:443:443/",
        "https:/api.example/",
        "https://api.example\\@evil.example/",
    ] {
        assert!(uri.parse::<Uri>().is_err(), "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_header_is_ignored() {
    let endpoint = Endpoint::new();
    let source = endpoint
        .builder()
        .origin("https://api.example")
        .build()
        .unwrap();
    let api = Api::ok();
    let service = plain(&source, &api);
    let with_host = |uri: &str, host: &str| {
        let mut request = to(uri);
        request.headers_mut().insert("host", host.parse().unwrap());
        request
    };
    let disguised = with_host("https://evil.example/", "api.example");
    assert!(refuse(&service, disguised).await.is_foreign_origin());
    let relative = with_host("/cob", "api.example");
    assert!(refuse(&service, relative).await.is_foreign_origin());
    assert_eq!(api.calls(), 0);
    let odd = with_host("https://api.example/", "evil.example");
    assert_eq!(status(&service, odd).await, 200);
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_an_error_when_built_unless_let_in_by_name() {
    let endpoint = Endpoint::new();
    let error = endpoint
        .builder()
        .origin("http://mesh.internal")
        .build()
        .unwrap_err();
    assert_eq!(error.field(), "origin");

    let mesh = endpoint
        .builder()
        .danger_allow_http("http://mesh.internal:8080");
    let (source, api) = (mesh.build().unwrap(), Api::ok());
    let service = plain(&source, &api);
    assert_eq!(
        status(&service, to("http://mesh.internal:8080/")).await,
        200
    );
    for uri in [
        "http://mesh.internal/",
        "http://other.internal:8080/",
        "https://api.example/",
    ] {
        assert!(refuse(&service, to(uri)).await.is_foreign_origin(), "{uri}");
    }
    assert_eq!((api.calls(), endpoint.fetches()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_none_is_an_error_when_built() {
    let endpoint = Endpoint::new();
    for origin in [
        "",
        "api.example",
        "https://",
        "https://api.example/path",
        "https://api.example?query",
        "https://user@api.example",
        "https://api.example:0",
        "https://api.example:99999",
        "ftp://api.example",
        "https://ápi.example",
    ] {
        let error = endpoint.builder().origin(origin).build().unwrap_err();
        assert_eq!(error.field(), "origin", "{origin}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_names_the_origin_and_nothing_else_of_the_uri() {
    let endpoint = Endpoint::new();
    let source = endpoint
        .builder()
        .origin("https://api.example")
        .build()
        .unwrap();
    let service = plain(&source, &Api::ok());
    let error = refuse(&service, to("https://evil.example/path?key=canary")).await;
    let text = format!("{error} {error:?}");
    assert!(text.contains("https://evil.example"), "{text}");
    assert!(!text.contains("canary") && !text.contains("path"), "{text}");
    let error = refuse(&service, to("https://user:canary@api.example/")).await;
    assert!(
        !format!("{error} {error:?}").contains("canary"),
        "{error:?}"
    );
}
