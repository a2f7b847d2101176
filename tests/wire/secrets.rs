//! A secret rotated at a strict bank while requests run: no request fails, one denial at most, no back-off is waited
//! for.

use std::{
    env, fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::sync::Notify;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth::{
    BoxError, ClientSecret, Clock, OAuthLayer, Secret, client_credentials::HttpService,
    testing::Bank,
};

use crate::stack::{BANKS, CLIENTS, Client, Http, Stack, preset};

#[tokio::test]
async fn a_rotation_fails_no_request() {
    for (number, open) in BANKS.into_iter().enumerate() {
        for client in CLIENTS {
            let bank = open().start().await.unwrap();
            let name = format!("tower-oauth-{}-rotated-{number}", std::process::id());
            let path = env::temp_dir().join(name);
            fs::write(&path, bank.client_secret()).unwrap();
            let builder = preset(&bank).secret(Secret::from_file(&path));
            let stack = Stack::of(bank, client, builder);
            let url = stack.bank.api_url();
            for round in 0..3 {
                assert_eq!(stack.get(&url).await, StatusCode::OK, "{}", stack.case());
                let secret = format!("secret number {round}");
                fs::write(&path, &secret).unwrap();
                stack.bank.set_secret(secret);
                stack.bank.expire_all();
                assert_eq!(stack.get(&url).await, StatusCode::OK, "{}", stack.case());
            }
            fs::remove_file(&path).unwrap();
            assert_eq!(stack.bank.counters().token_denials, 0, "{}", stack.case());
        }
    }
}

/// Where a token request waits on its way.
#[derive(Clone, Default)]
struct Gate {
    reached: Arc<Notify>,
    opened: Arc<Notify>,
}

/// Sends requests on, the first of them through the gate.
fn through(gate: &Gate, http: Http) -> impl HttpService<Full<Bytes>> + use<> {
    let mut gate = Some(gate.clone());
    service_fn(move |request: Request<Full<Bytes>>| {
        let (gate, http) = (gate.take(), http.clone());
        async move {
            if let Some(gate) = gate {
                gate.reached.notify_one();
                gate.opened.notified().await;
            }
            Ok::<_, BoxError>(http.oneshot(request).await?.map(Full::new))
        }
    })
}

/// The token request with the old secret is under way, and many requests wait for its token.
#[tokio::test]
async fn a_rotation_during_a_token_request_costs_one_denial_and_no_back_off() {
    for (number, open) in BANKS.into_iter().enumerate() {
        for client in CLIENTS {
            let bank = open().start().await.unwrap();
            let name = format!("tower-oauth-{}-in-flight-{number}", std::process::id());
            let path = env::temp_dir().join(name);
            fs::write(&path, bank.client_secret()).unwrap();
            let (gate, http) = (Gate::default(), client.http(&bank.api_origin()));
            let builder = preset(&bank).secret(Secret::from_file(&path));
            let source = builder.build(through(&gate, http.clone())).unwrap();
            let layer = OAuthLayer::new(source.clone()).retry_rejected();
            let stack = Stack {
                api: layer.layer(http),
                bank,
                client,
                source,
                clock: Clock::system(),
            };
            let url = stack.bank.api_url();
            let requests = join_all((0..50).map(|_| stack.get(&url)));
            let rotation = async {
                gate.reached.notified().await;
                fs::write(&path, "the second secret").unwrap();
                stack.bank.set_secret("the second secret");
                gate.opened.notify_one();
            };
            let (statuses, ()) = tokio::join!(requests, rotation);
            assert_eq!(statuses, [StatusCode::OK; 50], "{}", stack.case());
            fs::remove_file(&path).unwrap();
            let bank = stack.bank.counters();
            let own = stack.source.status().counters;
            assert_eq!((bank.token_denials, bank.tokens_issued), (1, 1));
            assert_eq!((own.fetches, own.attempts), (1, 2), "{}", stack.case());
        }
    }
}

/// Whether the bank's token endpoint accepts a secret.
async fn accepts(bank: &Bank, client: Client, secret: &str) -> bool {
    let builder = preset(bank).secret(ClientSecret::new(secret));
    let outcome = client.source(builder).token().await;
    if let Err(error) = &outcome {
        let code = error.fetch_error().unwrap().code();
        assert_eq!(code, Some("invalid_client"), "{error}");
    }
    outcome.is_ok()
}

#[tokio::test]
async fn a_bank_accepts_the_secret_before_for_its_time_of_grace() {
    for open in BANKS {
        for client in CLIENTS {
            let now = Arc::new(Mutex::new(tokio::time::Instant::now()));
            let clock = now.clone();
            let bank = open().clock(move || *clock.lock().unwrap());
            let bank = bank.start().await.unwrap();
            let first = bank.client_secret().to_owned();
            let pass = |seconds| *now.lock().unwrap() += Duration::from_secs(seconds);
            let accepted = async || {
                let mut accepted = Vec::new();
                for secret in [&first, "the second secret", "the third secret"] {
                    accepted.push(accepts(&bank, client, secret).await);
                }
                accepted
            };
            assert_eq!(accepted().await, [true, false, false]);
            bank.set_secret_with_grace("the second secret", Duration::from_secs(60));
            assert_eq!(bank.client_secret(), "the second secret");
            assert_eq!(accepted().await, [true, true, false]);
            pass(30);
            bank.set_secret_with_grace("the third secret", Duration::from_secs(60));
            assert_eq!(accepted().await, [true, true, true]);
            pass(30);
            assert_eq!(accepted().await, [false, true, true]);
            pass(30);
            assert_eq!(accepted().await, [false, false, true]);
            // Without grace, the secret before ends at once.
            bank.set_secret("the second secret");
            assert_eq!(accepted().await, [false, true, false]);
        }
    }
}
