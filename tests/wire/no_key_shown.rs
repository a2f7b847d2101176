//! No output shows a signing key, an assertion or a secret that was replaced: not `tracing` or `log` at every level,
//! with the HTTP clients' own events, and no error, status, record or `Debug`.

use std::{
    env, fs,
    sync::{Arc, Mutex},
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http::StatusCode;
use tower::{ServiceExt, service_fn};
use tower_oauth::{
    BoxError, ClientSecret, Secret, SigningAlgorithm,
    client_credentials::{
        Assertion, ClaimValue, ClientCredentialsBuilder, SigningKey, SigningRequest,
    },
    testing::{Assertions, Bank, ClientKey, Fault},
};

use crate::{
    bad_answers::everything,
    stack::{BANKS, CLIENTS, Stack, preset},
    support::logs::Logs,
};

const PIN: &str = "c4n4ry-pin";

/// The parts of each assertion that was signed: its claims and its signature.
type Signed = Arc<Mutex<Vec<String>>>;

fn log_all(logs: &Logs, stack: &Stack) {
    let status = stack.source.status();
    let json = serde_json::to_string(&status).unwrap();
    let text = format!("{status:?} {json} {:?} {:?}", stack.source, stack.api);
    logs.record(&text, |_| {});
}

/// A builder whose signer keeps what it signs, and which logs all that it can print.
fn signing(
    builder: ClientCredentialsBuilder,
    pem: &str,
    logs: &Logs,
) -> (ClientCredentialsBuilder, Signed) {
    let key = SigningKey::from_pem(pem).unwrap().with_kid("k-1");
    let mut assertion = Assertion::client(SigningAlgorithm::Es256);
    let pin = ClaimValue::from(ClientSecret::new(PIN));
    assertion.claims.insert("pin".into(), pin);
    logs.record(
        &format!("{key:?} {key:#?} {assertion:?} {assertion:#?}"),
        |_| {},
    );
    let (signed, told) = (Signed::default(), logs.clone());
    let into = signed.clone();
    let signer = service_fn(move |request: SigningRequest| {
        told.record(&format!("{request:?}"), |_| {});
        let claims = std::str::from_utf8(request.bytes()).unwrap();
        let claims = claims.split('.').nth(1).unwrap().to_owned();
        let (key, into) = (key.clone(), into.clone());
        async move {
            let signature = key.oneshot(request).await?;
            let text = BASE64_URL_SAFE_NO_PAD.encode(&signature);
            into.lock().unwrap().extend([claims, text]);
            Ok::<_, BoxError>(signature)
        }
    });
    let records = logs.clone();
    let builder = builder
        .assertion(assertion)
        .signer(signer)
        .on_attempt(move |record| records.record(&format!("{record} {record:?}"), |_| {}));
    logs.record(&format!("{builder:?}"), |_| {});
    (builder, signed)
}

#[tokio::test]
async fn neither_keys_nor_assertions_are_shown() {
    let (logs, _listening) = Logs::listen();
    let key = ClientKey::generate(SigningAlgorithm::Es256);
    logs.record(&format!("{key:?}"), |_| {});
    for client in CLIENTS {
        let rules = Assertions::client(&key).kid("k-1").claim("pin", PIN);
        logs.record(&format!("{rules:?}"), |_| {});
        let bank = Bank::bankly().assertions(rules).start().await.unwrap();
        let (builder, signed) = signing(preset(&bank), key.pem(), &logs);
        let stack = Stack::of(bank, client, builder);
        for fault in [
            None,
            Some(Fault::oauth_error(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
            )),
            Some(Fault::status(StatusCode::FORBIDDEN)),
            Some(Fault::Reset),
            Some(Fault::Truncated),
            Some(Fault::html()),
        ] {
            stack.bank.expire_all();
            stack.bank.token_faults(fault);
            stack.source.retry_now();
            match stack.source.token().await {
                Ok(token) => stack.source.invalidate(token.generation()),
                Err(error) => logs.record(&everything(&error), |_| {}),
            }
            log_all(&logs, &stack);
        }
        let signed = signed.lock().unwrap().clone();
        assert!(signed.len() >= 12, "{}", signed.len());
        for part in &signed {
            assert_eq!(logs.with(part), Vec::<String>::new());
        }
    }
    let lines = key.pem().lines().filter(|line| !line.starts_with("-----"));
    for canary in lines.chain([PIN]) {
        assert_eq!(logs.with(canary), Vec::<String>::new());
    }
    for talker in [
        "client_assertion",
        "SigningKey",
        "SigningRequest",
        "invalid_client",
    ] {
        assert!(!logs.with(talker).is_empty(), "{talker}");
    }
}

/// The secrets before and after, as they are and as Basic has them.
#[tokio::test]
async fn no_secret_is_shown_while_it_is_replaced() {
    const SECRETS: [&str; 3] = ["c4n4ry-first", "c4n4ry-second", "c4n4ry-third"];
    let (logs, _listening) = Logs::listen();
    for (number, open) in BANKS.into_iter().enumerate() {
        for client in CLIENTS {
            let name = format!("tower-oauth-{}-unshown-{number}", std::process::id());
            let path = env::temp_dir().join(name);
            fs::write(&path, SECRETS[0]).unwrap();
            let bank = open()
                .credentials("the-id", SECRETS[0])
                .start()
                .await
                .unwrap();
            let records = logs.clone();
            let builder = preset(&bank)
                .secret(Secret::from_file(&path))
                .on_attempt(move |record| records.record(&format!("{record} {record:?}"), |_| {}));
            logs.record(&format!("{builder:?}"), |_| {});
            let stack = Stack::of(bank, client, builder);
            for secret in &SECRETS[1..] {
                assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
                stack.bank.set_secret(*secret);
                let token = stack.source.token().await.unwrap();
                stack.source.invalidate(token.generation());
                // The token that was rejected may be restored.
                let failed = stack.wait_until(|status| status.last_failure.is_some());
                let (outcome, _) = tokio::join!(stack.source.token(), failed);
                if let Err(error) = outcome {
                    logs.record(&everything(&error), |_| {});
                }
                log_all(&logs, &stack);
                fs::write(&path, secret).unwrap();
                stack.source.retry_now();
                assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
                log_all(&logs, &stack);
            }
            fs::remove_file(&path).unwrap();
        }
    }
    let basic = |secret: &str| BASE64_STANDARD.encode(format!("the-id:{secret}"));
    for canary in SECRETS.into_iter().map(basic).chain(["c4n4ry".into()]) {
        assert_eq!(logs.with(&canary), Vec::<String>::new());
    }
    for talker in ["the client's secret has changed", "invalid_client"] {
        assert!(!logs.with(talker).is_empty(), "{talker}");
    }
}
