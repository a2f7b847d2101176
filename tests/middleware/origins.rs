//! A token goes to the origins it is for, and nowhere else.

use std::panic::catch_unwind;

use crate::support::{
    Api, Endpoint,
    layered::{plain, reject, status},
};
use bytes::Bytes;
use http::{
    Request, Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

pub(crate) fn to(uri: &str) -> Request<String> {
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
    assert_eq!(endpoint.attempts(), 1);
}

/// Sends to each URI and expects that none arrives, nor is a token fetched for it.
async fn assert_rejected(endpoint: &Endpoint, origins: &[&str], uris: &[&str]) {
    let builder = origins
        .iter()
        .fold(endpoint.builder(), |it, origin| it.origin(*origin));
    let (source, api) = (builder.build().unwrap(), Api::ok());
    let service = plain(&source, &api);
    for uri in uris {
        let error = reject(&service, to(uri)).await;
        assert!(error.is_foreign_origin(), "{uri}: {error}");
        assert_eq!(error.kind().as_str(), "foreign_origin");
    }
    assert_eq!((api.calls(), endpoint.attempts()), (0, 0));
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
        "http://[::1]:80/",
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
        "http://128.0.0.1/",
        "http://192.168.0.1/",
        "http://[::]/",
        "http://[::2]/",
        "http://[::1]x.evil/",
        "http://[::ffff:127.0.0.1]/",
        "ftp://localhost/",
        "ws://localhost/",
        "file://localhost/x",
    ];
    assert_rejected(&Endpoint::new(), &[], &uris).await;
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
        "https://API.EXAMPLE:443/cob?x=1",
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
        "https://[2001:db8::1]x:8443/",
        "https://localhost/",
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
        "https://api.example:pw@evil.example/",
        "https://api.example:443@evil.example/",
        // a port that is none
        "https://api.example:0/",
        "https://api.example:99999/",
        "https://api.example:/",
        "https://api.example:+443/",
    ];
    assert_rejected(&Endpoint::new(), &origins, &uris).await;
}

/// Paths that a stranger chooses, behind a gateway that keeps an incoming `:path`: written behind the host, each makes
/// another host of it, or may.
const NO_PATHS: [&str; 11] = [
    "*",
    "?@evil.example/steal",
    "?",
    "?a=b",
    "@evil.example/steal",
    ":pw@evil.example/steal",
    ".evil.example/steal",
    ":1/steal",
    "evil.example",
    "\\@evil.example/steal",
    "#@evil.example/steal",
];

/// Every way in which `http` makes a path of this text. It takes those that begin with a question mark, and the
/// asterisk; versions before 1.4.1 took all of them.
fn paths(text: &'static str) -> Vec<PathAndQuery> {
    let Ok(copied) = PathAndQuery::try_from(text) else {
        return Vec::new();
    };
    let shared = PathAndQuery::from_maybe_shared(Bytes::from_static(text.as_bytes()));
    let fixed = catch_unwind(|| PathAndQuery::from_static(text));
    [copied]
        .into_iter()
        .chain(shared.ok())
        .chain(fixed.ok())
        .collect()
}

fn by_parts(scheme: Scheme, authority: &str, path: PathAndQuery) -> Request<String> {
    let mut parts = Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(Authority::try_from(authority).unwrap());
    parts.path_and_query = Some(path);
    let mut request = Request::new(String::new());
    *request.uri_mut() = Uri::from_parts(parts).unwrap();
    request
}

/// The fast path compares the authority as text, the slow path parses it, and without a list there is a third.
#[tokio::test(start_paused = true)]
async fn a_path_that_does_not_begin_with_a_slash_is_rejected() {
    let (endpoint, api) = (Endpoint::new(), Api::ok());
    let listed = endpoint.builder().origin("https://api.example");
    let any = endpoint.builder().build().unwrap();
    let listed = listed.build().unwrap();
    let mut tried = 0;
    for source in [&listed, &any] {
        let service = plain(source, &api);
        for authority in ["api.example", "API.example:443"] {
            for path in NO_PATHS.into_iter().flat_map(paths) {
                // A fragment is cut off, and nothing stays of this one.
                if path.as_str() == "/" {
                    continue;
                }
                tried += 1;
                let case = format!("{authority} and {}", path.as_str());
                let request = by_parts(Scheme::HTTPS, authority, path);
                let uri = request.uri().clone();
                assert!(source.permits(&uri).is_err(), "{case}");
                let error = reject(&service, request).await;
                assert!(error.is_foreign_origin(), "{case}: {error}");
                assert!(error.to_string().contains("path"), "{case}: {error}");
                assert!(!format!("{error} {error:?}").contains("evil"), "{error}");
            }
        }
    }
    // At least the asterisk and the three queries.
    assert!(tried >= 2 * 2 * 4, "{tried}");
    assert_eq!((api.calls(), endpoint.attempts()), (0, 0));

    for path in [
        "/",
        "/@evil.example",
        "//evil.example/",
        "/*",
        "/?@evil.example",
    ] {
        let request = by_parts(Scheme::HTTPS, "api.example", path.parse().unwrap());
        assert_eq!(status(&plain(&listed, &api), request).await, 200, "{path}");
    }
    assert_eq!(
        status(&plain(&listed, &api), to("https://api.example")).await,
        200
    );
}

/// `url`, and with it `reqwest`, and the system's resolver take these for an address; `http` takes them for names.
const NUMBERS: [&str; 14] = [
    "127.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "0x7f000001",
    "0X7F.0.0.0x1",
    "127.0.0.1.",
    "127.000.000.001",
    "127.0.0.0x1",
    "0",
    "1.2.3",
    "api.example.1",
    "api.example.0x",
    "256.0.0.1",
];

#[tokio::test(start_paused = true)]
async fn a_host_that_is_a_number_in_another_notation_is_rejected() {
    let endpoint = Endpoint::new();
    let uris = NUMBERS.map(|host| format!("https://{host}/"));
    let uris = uris.each_ref().map(String::as_str);
    assert_rejected(&endpoint, &[], &uris).await;
    for host in NUMBERS {
        for scheme in ["https", "http"] {
            let origin = format!("{scheme}://{host}:8443");
            let error = endpoint.builder().origin(&origin).build().unwrap_err();
            assert!(error.rule().contains("ends in a number"), "{error}");
            let error = endpoint.builder().danger_allow_http(origin).build();
            assert!(error.is_err(), "{host}");
        }
    }
    let uris = [
        "https://10.0.0.1/",
        "https://1.example/",
        "https://0x.example/",
    ];
    assert_attached(&endpoint, &[], &uris).await;
}

#[tokio::test(start_paused = true)]
async fn an_ipv6_address_is_compared_as_an_address() {
    let origins = ["https://[2001:db8:0:0::1]"];
    let uris = ["https://[2001:db8::1]/", "https://[2001:DB8:0::0:1]/"];
    assert_attached(&Endpoint::new(), &origins, &uris).await;
    let uris = ["http://[0:0:0:0:0:0:0:1]:9200/", "http://[::0.0.0.1]/"];
    assert_attached(&Endpoint::new(), &[], &uris).await;
    let uris = [
        "https://[v1.x]/",
        "https://[localhost]/",
        "https://[127.0.0.1]/",
    ];
    assert_rejected(&Endpoint::new(), &[], &uris).await;
}

#[test]
fn other_tricks_are_not_even_a_uri() {
    for uri in [
        "https://ápi.example/",
        "https://api.example\u{2024}evil/",
        "https://api%2eexample/",
        "https://%61pi.example/",
        "https://\u{ff41}pi.example/",
        "https://api\u{3002}example/",
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
    assert!(reject(&service, disguised).await.is_foreign_origin());
    let relative = with_host("/cob", "api.example");
    assert!(reject(&service, relative).await.is_foreign_origin());
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
        assert!(reject(&service, to(uri)).await.is_foreign_origin(), "{uri}");
    }
    assert_eq!((api.calls(), endpoint.attempts()), (1, 1));
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
        "https://api.example:+443",
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
    let error = reject(&service, to("https://evil.example/path?key=canary")).await;
    let text = format!("{error} {error:?}");
    assert!(text.contains("https://evil.example"), "{text}");
    assert!(!text.contains("canary") && !text.contains("path"), "{text}");
    let error = reject(&service, to("https://user:canary@api.example/")).await;
    assert!(
        !format!("{error} {error:?}").contains("canary"),
        "{error:?}"
    );
}
