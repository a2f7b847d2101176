//! The headers that carry the token.

use crate::support::{
    Answer, Api, Endpoint, get,
    layered::{plain, reject, status},
    secs,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tokio::time::{advance, sleep};
use tower_oauth::{SourceState, Token, TokenHeaders};

fn templates(pairs: &[(&'static str, &str)]) -> TokenHeaders {
    let none = Ok(TokenHeaders::none());
    pairs
        .iter()
        .fold(none, |headers, (name, template)| {
            headers?.with(*name, template)
        })
        .unwrap()
}

/// What arrives when a request with these headers is sent.
async fn arriving(endpoint: &Endpoint, templates: TokenHeaders, own: HeaderMap) -> Request<String> {
    let source = endpoint.builder().headers(templates).build().unwrap();
    let api = Api::ok();
    let mut request = get("/");
    *request.headers_mut() = own;
    assert_eq!(status(&plain(&source, &api), request).await, 200);
    assert_eq!(endpoint.attempts(), 1);
    api.requests().remove(0)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let name = |name| HeaderName::from_static(name);
    let pairs = pairs
        .iter()
        .map(|it| (name(it.0), HeaderValue::from_static(it.1)));
    pairs.collect()
}

#[tokio::test(start_paused = true)]
async fn bearer_is_the_default() {
    let arrived = arriving(&Endpoint::new(), TokenHeaders::default(), HeaderMap::new()).await;
    assert_eq!(
        *arrived.headers(),
        headers(&[("authorization", "Bearer token-1")])
    );
}

#[tokio::test(start_paused = true)]
async fn anbimas_pair_goes_without_authorization() {
    let pair = templates(&[("client_id", "aC2yaac23"), ("access_token", "{token}")]);
    let arrived = arriving(&Endpoint::new(), pair, HeaderMap::new()).await;
    let expected = [("client_id", "aC2yaac23"), ("access_token", "token-1")];
    assert_eq!(*arrived.headers(), headers(&expected));
}

#[tokio::test(start_paused = true)]
async fn a_raw_token_goes_without_a_scheme() {
    let raw = templates(&[("authorization", "{token}")]);
    let arrived = arriving(&Endpoint::new(), raw, HeaderMap::new()).await;
    assert_eq!(*arrived.headers(), headers(&[("authorization", "token-1")]));
}

#[tokio::test(start_paused = true)]
async fn several_headers_use_what_came_with_the_token() {
    let endpoint = Endpoint::new();
    endpoint.then(Answer::Token(
        Token::new("abc").with_extra("jwt_token", "xyz"),
    ));
    let serpro = templates(&[
        ("authorization", "Bearer {token}"),
        ("jwt_token", "{jwt_token}"),
        ("x-both", "{token}/{jwt_token}"),
    ]);
    let arrived = arriving(&endpoint, serpro, HeaderMap::new()).await;
    let expected = [
        ("authorization", "Bearer abc"),
        ("jwt_token", "xyz"),
        ("x-both", "abc/xyz"),
    ];
    assert_eq!(*arrived.headers(), headers(&expected));
}

#[tokio::test(start_paused = true)]
async fn headers_of_the_same_name_are_replaced_and_others_left_alone() {
    let own = headers(&[
        ("access_token", "forged"),
        ("x-request-id", "1"),
        ("access_token", "forged too"),
        ("client_id", "forged"),
    ]);
    let pair = templates(&[("Client_Id", "me"), ("Access_Token", "{token}")]);
    let arrived = arriving(&Endpoint::new(), pair, own).await;
    let expected = [
        ("access_token", "token-1"),
        ("x-request-id", "1"),
        ("client_id", "me"),
    ];
    assert_eq!(*arrived.headers(), headers(&expected));
}

#[tokio::test(start_paused = true)]
async fn every_token_header_is_marked_sensitive() {
    let pair = templates(&[("client_id", "me"), ("access_token", "{token}")]);
    let arrived = arriving(&Endpoint::new(), pair, headers(&[("x-other", "shown")])).await;
    for name in ["client_id", "access_token"] {
        assert!(arrived.headers()[name].is_sensitive(), "{name}");
    }
    assert!(!arrived.headers()["x-other"].is_sensitive());
    assert!(!format!("{arrived:?}").contains("token-1"));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_no_header_may_hold_are_a_typed_error() {
    for bad in [
        "",
        "a\r\nx-evil: 1",
        "a\nb",
        "a\tb",
        "ü",
        "a\0",
        "a\u{7f}",
        "a\u{85}",
    ] {
        let endpoint = Endpoint::new();
        endpoint.then(Answer::Token(Token::new(bad).with_lifetime(secs(3600))));
        let (source, api) = (endpoint.source(), Api::ok());
        let error = reject(&plain(&source, &api), get("/")).await;
        assert!(error.is_malformed(), "{bad:?}: {error}");
        assert!(error.retry_at().is_some(), "{bad:?}: {error}");
        assert_eq!((api.calls(), endpoint.attempts()), (0, 1), "{bad:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_extra_or_none_is_a_typed_error() {
    for token in [
        Token::new("abc"),
        Token::new("abc").with_extra("jwt_token", "x\r\ny"),
    ] {
        let endpoint = Endpoint::new();
        endpoint.then(Answer::Token(token));
        let serpro = templates(&[("a", "{token}"), ("b", "{jwt_token}")]);
        let source = endpoint.builder().headers(serpro).build().unwrap();
        let error = reject(&plain(&source, &Api::ok()), get("/")).await;
        assert!(error.is_malformed(), "{error}");
        assert_eq!(endpoint.attempts(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_token_leaves_the_one_before_in_use() {
    let endpoint = Endpoint::new();
    let (source, api) = (endpoint.source(), Api::ok());
    let service = plain(&source, &api);
    source.ready().await.unwrap();
    endpoint.then(Answer::Token(
        Token::new("a\r\nb").with_lifetime(secs(3600)),
    ));
    advance(secs(3000)).await;
    assert_eq!(status(&service, get("/")).await, 200); // stale: starts the refresh
    sleep(secs(1)).await;
    assert_eq!(status(&service, get("/")).await, 200);
    assert_eq!(api.tokens(), ["token-1", "token-1"]);
    assert_eq!(source.status().state, SourceState::Stale);
    assert!(source.status().error.is_some());
    assert_eq!(endpoint.attempts(), 2);
}

#[test]
fn templates_that_cannot_work_are_errors_when_built() {
    let builder = || {
        let fetcher =
            tower::service_fn(|_| async { Ok::<_, tower_oauth::BoxError>(Token::new("abc")) });
        tower_oauth::TokenSource::builder(fetcher)
    };
    for pairs in [
        &[][..],
        &[("authorization", "no token")],
        &[("authorization", "Bearer\r\n{token}")],
        &[("access_token", "{token}"), ("x-bank", "ü")],
        &[("client_id", "{client_id}"), ("access_token", "{token}")],
    ] {
        let error = builder().headers(templates(pairs)).build().unwrap_err();
        assert_eq!(error.field(), "headers", "{pairs:?}");
    }
    for (name, template) in [
        ("x", "{token"),
        ("x", "token}"),
        ("x", "{}"),
        ("not a name", "{token}"),
        ("x\u{1b}[2J", "{token}"),
        ("host", "{token}"),
        ("Content-Length", "{token}"),
        ("transfer-encoding", "{token}"),
        ("connection", "{token}"),
    ] {
        let error = TokenHeaders::none().with(name, template).unwrap_err();
        assert_eq!(error.field(), "headers", "{name}: {template}");
        assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn the_error_of_a_template_without_a_token_names_what_it_holds() {
    let fetcher =
        tower::service_fn(|_| async { Ok::<_, tower_oauth::BoxError>(Token::new("abc")) });
    let builder = tower_oauth::TokenSource::builder(fetcher).name("vault");
    let headers = templates(&[("authorization", "Bearer canary {tok}")]);
    let error = builder.headers(headers).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "vault: invalid `headers` \"{tok}\": must hold `{token}` somewhere"
    );
}
