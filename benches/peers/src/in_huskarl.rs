//! huskarl has no middleware: its authorizer gives headers to put on each request, and is shown each response.

use std::{hint::black_box, sync::Arc, time::SystemTime};

use http::Request;
use huskarl::{
    authorizer::HttpAuthorizer,
    cache::{InMemoryTokenCache, TokenError, TokenSource},
    core::platform::MaybeSendBoxFuture,
    grant::core::{RawTokenResponse, TokenResponse},
};
use tower::{BoxError, Service};

use crate::{
    Peer, Stack,
    in_tower::{Bank, Body, URI, request},
    measure::Case,
    token::{LIFETIME, TOKEN, now},
};

pub(crate) fn stack() -> Stack {
    let cache = InMemoryTokenCache::builder().source(Source).build();
    let authorizer = Arc::new(HttpAuthorizer::builder().cache(cache).build());
    Stack {
        base: Case::new(|| || drop(black_box(now(Bank::<BoxError>::new().call(request()))))),
        peers: vec![Peer {
            name: "huskarl, HttpAuthorizer",
            package: "huskarl",
            case: Case::new(move || {
                let authorizer = authorizer.clone();
                move || now(call(&authorizer, request()))
            }),
        }],
    }
}

async fn call(authorizer: &HttpAuthorizer, mut request: Request<Body>) -> Result<(), BoxError> {
    let headers = authorizer.get_headers(request.method(), &URI).await?;
    request.headers_mut().extend(headers);
    let response = Bank::<BoxError>::new().call(request).await?;
    authorizer.process_response(&URI, response.headers());
    black_box(response);
    Ok(())
}

/// In place of a grant and its token endpoint; asked once.
struct Source;

impl TokenSource for Source {
    fn token(&self) -> MaybeSendBoxFuture<'_, Result<Arc<TokenResponse>, TokenError>> {
        let response = RawTokenResponse::builder()
            .access_token(TOKEN.as_str())
            .token_type("Bearer")
            .with_lifetime(LIFETIME.as_secs())
            .build()
            .into_token_response(None, SystemTime::now())
            .expect("a token");
        Box::pin(async { Ok(Arc::new(response)) })
    }
}
