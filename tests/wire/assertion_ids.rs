//! The `jti` of assertions over sockets: each attempt has a new one, and a bank accepts none twice.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{ServiceExt, service_fn};
use tower_oauth::{
    BoxError, SigningAlgorithm, TokenSource,
    client_credentials::{Assertion, SigningKey},
    testing::{Assertions, Bank, ClientKey, Fault},
};

use crate::stack::{CLIENTS, Http, preset};

type Sent = Arc<Mutex<Vec<Request<Full<Bytes>>>>>;

/// A bank, a source that signs for it, and what was sent to its token endpoint.
struct World {
    bank: Bank,
    source: TokenSource,
    http: Http,
    sent: Sent,
}

/// One for each use of an assertion and each client.
async fn worlds() -> Vec<World> {
    let algorithm = SigningAlgorithm::Es256;
    let key = ClientKey::generate(algorithm);
    let mut worlds = Vec::new();
    for client in CLIENTS {
        for (rules, assertion) in [
            (Assertions::client(&key), Assertion::client(algorithm)),
            (Assertions::grant(&key), Assertion::grant(algorithm)),
        ] {
            let bank = Bank::bankly().assertions(rules).start().await.unwrap();
            let (http, sent) = (client.http(&bank.api_origin()), Sent::default());
            let source = preset(&bank)
                .assertion(assertion)
                .signing_key(SigningKey::from_pem(key.pem()).unwrap())
                .policy(|policy| policy.retry.attempts = 4)
                .build::<Full<Bytes>>(recording(http.clone(), sent.clone()));
            worlds.push(World {
                source: source.unwrap(),
                bank,
                http,
                sent,
            });
        }
    }
    worlds
}

fn recording(
    http: Http,
    sent: Sent,
) -> impl tower_oauth::client_credentials::HttpService<Full<Bytes>> {
    service_fn(move |request: Request<Full<Bytes>>| {
        sent.lock().unwrap().push(request.clone());
        let response = http.clone().oneshot(request);
        async move { Ok::<_, BoxError>(response.await?.map(Full::new)) }
    })
}

async fn jti(request: Request<Full<Bytes>>) -> String {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let jwt = body.split("assertion=").nth(1).unwrap();
    let claims = jwt.split('.').nth(1).unwrap();
    let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["jti"].as_str().unwrap().to_owned()
}

/// The bank has used up the `jti` of an attempt whose answer is lost.
#[tokio::test]
async fn each_attempt_of_each_fetch_has_a_new_one() {
    for world in worlds().await {
        let lost = [Fault::CutOff, Fault::Truncated, Fault::CutOff];
        world.bank.token_faults(lost);
        world.source.ready().await.unwrap();
        let first = world.source.status();
        assert_eq!((first.counters.fetches, first.counters.attempts), (1, 4));
        let token = world.source.token().await.unwrap();
        world.source.invalidate(token.generation());
        world.source.token().await.unwrap();

        assert_eq!(world.bank.counters().token_denials, 0);
        let sent = world.sent.lock().unwrap().clone();
        assert_eq!(sent.len(), 5);
        let mut ids = HashSet::new();
        for request in sent {
            ids.insert(jti(request).await);
        }
        assert_eq!(ids.len(), 5, "{ids:?}");
    }
}

/// The bank is strict, or the test above would show nothing.
#[tokio::test]
async fn a_token_request_that_is_sent_twice_is_denied() {
    for world in worlds().await {
        world.source.ready().await.unwrap();
        let again = world.sent.lock().unwrap()[0].clone();
        let answer = world.http.clone().oneshot(again).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let reason = world.bank.last_error().unwrap();
        assert_eq!(reason, "the assertion: its jti was used before");
        let counters = world.bank.counters();
        assert_eq!((counters.tokens_issued, counters.token_denials), (1, 1));
    }
}
