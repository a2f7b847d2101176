//! Azure's policies, over one that answers at once.

use std::{
    hint::black_box,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use azure_core::{
    Result,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{
        AsyncRawResponse, Context, Method, Request, StatusCode, Url,
        headers::{AUTHORIZATION, Headers},
        policies::{Policy, PolicyResult, auth::BearerTokenAuthorizationPolicy},
    },
    time::OffsetDateTime,
};

use crate::{
    Peer, Stack,
    measure::Case,
    token::{API, LIFETIME, TOKEN, look, now},
};

pub(crate) fn stack() -> Stack {
    let bearer =
        BearerTokenAuthorizationPolicy::new(Arc::new(Credential), ["https://api.example/.default"]);
    Stack {
        base: case(vec![Arc::new(Bank)]),
        peers: vec![Peer {
            name: "azure_core, BearerTokenAuthorizationPolicy",
            package: "azure_core",
            case: case(vec![Arc::new(bearer), Arc::new(Bank)]),
        }],
    }
}

fn case(policies: Vec<Arc<dyn Policy>>) -> Case {
    Case::new(move || {
        let policies = policies.clone();
        move || {
            let mut request = request();
            let context = Context::new();
            let sent = policies[0].send(&context, &mut request, &policies[1..]);
            drop(black_box(now(sent)));
        }
    })
}

fn request() -> Request {
    static URL: LazyLock<Url> = LazyLock::new(|| API.parse().expect("an address"));
    let mut request = Request::new(URL.clone(), Method::Get);
    for (name, value) in [
        ("accept", "application/json"),
        ("user-agent", "bench/1"),
        ("origin", "https://bench.example"),
        ("content-type", "application/json"),
    ] {
        request.insert_header(name, value);
    }
    request
}

#[derive(Debug)]
struct Bank;

#[async_trait]
impl Policy for Bank {
    async fn send(
        &self,
        _: &Context,
        request: &mut Request,
        _: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let headers = black_box(&*request).headers();
        look(|| headers.get_optional_str(&AUTHORIZATION).map(str::len));
        Ok(AsyncRawResponse::from_bytes(
            StatusCode::Ok,
            Headers::new(),
            "",
        ))
    }
}

/// In place of an account; asked once.
#[derive(Debug)]
struct Credential;

#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> Result<AccessToken> {
        let expires = OffsetDateTime::now_utc() + LIFETIME;
        Ok(AccessToken::new(TOKEN.clone(), expires))
    }
}
