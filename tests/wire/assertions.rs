//! Signed assertions over sockets, against banks that verify them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use tower::{ServiceExt, service_fn};
use tower_oauth::{
    BoxError, FetchErrorKind, SigningAlgorithm,
    client_credentials::{Assertion, Audience, SigningKey, SigningRequest},
    testing::{Assertions, Bank, ClientKey, Fault},
};

use crate::stack::{CLIENTS, Client, Stack, preset, preset_of};

const ALGORITHMS: [SigningAlgorithm; 4] = [
    SigningAlgorithm::Ps256,
    SigningAlgorithm::Rs256,
    SigningAlgorithm::Es256,
    SigningAlgorithm::EdDsa,
];

async fn bank(rules: Assertions) -> Bank {
    Bank::bankly().assertions(rules).start().await.unwrap()
}

async fn stack(rules: Assertions, assertion: Assertion, key: &ClientKey, client: Client) -> Stack {
    let bank = bank(rules).await;
    let builder = preset(&bank)
        .assertion(assertion)
        .signing_key(SigningKey::from_pem(key.pem()).unwrap());
    Stack::of(bank, client, builder)
}

#[tokio::test]
async fn four_algorithms_as_authentication_and_as_grant() {
    for algorithm in ALGORITHMS {
        let key = ClientKey::generate(algorithm);
        for client in CLIENTS {
            for (rules, assertion) in [
                (Assertions::client(&key), Assertion::client(algorithm)),
                (Assertions::grant(&key), Assertion::grant(algorithm)),
            ] {
                let stack = stack(rules, assertion, &key, client).await;
                // The second fetch has a `jti` of its own, or the bank would say 403.
                for _ in 0..2 {
                    let status = stack.get(&stack.bank.api_url()).await;
                    assert_eq!(
                        status,
                        StatusCode::OK,
                        "{algorithm} {:?}",
                        stack.bank.last_error()
                    );
                    stack.bank.revoke_all();
                }
                assert_eq!(stack.bank.counters().token_denials, 0, "{algorithm}");
            }
        }
    }
}

#[tokio::test]
async fn many_clients_prove_who_they_are_at_one_bank() {
    let key = ClientKey::generate(SigningAlgorithm::Es256);
    let client = Assertion::client as fn(_) -> _;
    let ways = [
        (Assertions::client as fn(&_) -> _, client),
        (Assertions::grant, Assertion::grant),
    ];
    // Avista's document has no grant type. At Bankly the body has the id, at the others the assertion alone.
    for builder in [Bank::anbima, Bank::conta_simples, Bank::bankly] {
        for (rules, assertion) in ways {
            let bank = builder().client("ana", "no").client("bob", "no");
            let bank = bank.assertions(rules(&key)).start().await.unwrap();
            let builder = preset_of(&bank, "ana")
                .assertion(assertion(SigningAlgorithm::Es256))
                .signing_key(SigningKey::from_pem(key.pem()).unwrap());
            let stack = Stack::of(bank, Client::Hyper, builder);
            let status = stack.get(&stack.bank.api_url()).await;
            assert_eq!(status, StatusCode::OK, "{:?}", stack.bank.last_error());
            assert_eq!(stack.bank.client("ana").counters().api_ok, 1);
            assert_eq!(stack.bank.client("bob").counters().token_requests, 0);
        }
    }
}

#[tokio::test]
async fn each_attempt_of_a_fetch_has_its_own() {
    let key = ClientKey::generate(SigningAlgorithm::Es256);
    for client in CLIENTS {
        let assertion = Assertion::client(SigningAlgorithm::Es256);
        let stack = stack(Assertions::client(&key), assertion, &key, client).await;
        stack
            .bank
            .token_faults([Fault::status(StatusCode::SERVICE_UNAVAILABLE)]);
        stack.source.ready().await.unwrap();
        assert_eq!(stack.bank.counters().token_requests, 2);
    }
}

#[tokio::test]
async fn all_that_a_dialect_can_say_is_sent() {
    let key = ClientKey::generate(SigningAlgorithm::Rs256);
    let thumbprint = "A".repeat(43);
    for client in CLIENTS {
        let rules = Assertions::client(&key)
            .audience("https://login.example/realm")
            .kid("k-1")
            .x5t_s256(&thumbprint)
            .not_before()
            .longest_lifetime(Duration::from_secs(120))
            .claim("realm", "stone_bank");
        let mut assertion = Assertion::client(SigningAlgorithm::Rs256);
        assertion.audience = Audience::Text("https://login.example/realm".into());
        assertion.kid = Some("k-1".into());
        assertion.x5t_s256 = Some(thumbprint.clone());
        assertion.not_before = true;
        assertion.lifetime = Duration::from_secs(120);
        assertion.issued_at_skew = Duration::from_secs(5);
        assertion.claims.insert("realm".into(), "stone_bank".into());
        let stack = stack(rules, assertion, &key, client).await;
        stack.source.ready().await.unwrap();
    }
}

/// The bank is strict, or the tests above would show nothing.
#[tokio::test]
async fn what_a_bank_does_not_demand_is_denied() {
    let key = ClientKey::generate(SigningAlgorithm::EdDsa);
    let other = ClientKey::generate(SigningAlgorithm::EdDsa);
    type Change = fn(&mut Assertion);
    let changes: [(Change, &str); 6] = [
        (|it| it.audience = Audience::Text("x".into()), "aud must be"),
        (|it| it.issuer = "x".into(), "iss must be"),
        (|it| it.kid = Some("x".into()), "kid must not be there"),
        (
            |it| it.lifetime = Duration::from_secs(301),
            "exp must be at most 300 s",
        ),
        (|it| it.issued_at_skew = Duration::from_secs(59), ""),
        (
            |it| drop(it.claims.insert("x".into(), "x".into())),
            "x must not be there",
        ),
    ];
    for (change, says) in changes {
        let mut assertion = Assertion::client(SigningAlgorithm::EdDsa);
        change(&mut assertion);
        let stack = stack(Assertions::client(&key), assertion, &key, Client::Hyper).await;
        let outcome = stack.source.ready().await;
        assert_eq!(outcome.is_ok(), says.is_empty(), "{says}");
        let reason = stack.bank.last_error().unwrap_or_default();
        assert!(reason.contains(says), "{says}: {reason}");
    }
    let assertion = Assertion::client(SigningAlgorithm::EdDsa);
    let stack = stack(Assertions::client(&key), assertion, &other, Client::Hyper).await;
    let error = stack.source.token().await.unwrap_err().to_string();
    assert!(error.contains("invalid_client (HTTP 401)"), "{error}");
    assert!(
        error.contains("that the bank has the public key"),
        "{error}"
    );
    assert!(
        stack
            .bank
            .last_error()
            .unwrap()
            .contains("the signature is not the client's")
    );
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_said() {
    let key = ClientKey::generate(SigningAlgorithm::Es256);
    for client in CLIENTS {
        let assertion = Assertion::client(SigningAlgorithm::Es256);
        let stack = stack(Assertions::client(&key), assertion, &key, client).await;
        stack.clock.step_wall_forward(Duration::from_secs(600));
        let error = stack.source.token().await.unwrap_err().to_string();
        assert!(
            error.contains("s ahead of the token endpoint's): invalid_client"),
            "{error}"
        );
        assert!(error.contains("Set this machine's clock"), "{error}");
    }
}

#[tokio::test]
async fn a_signer_that_is_a_service() {
    let key = ClientKey::generate(SigningAlgorithm::Ps256);
    for client in CLIENTS {
        let bank = bank(Assertions::client(&key)).await;
        let own = SigningKey::from_pem(key.pem()).unwrap();
        let is_sealed = Arc::new(Mutex::new(true));
        let sealed = Arc::clone(&is_sealed);
        let signer = service_fn(move |request: SigningRequest| {
            let (own, sealed) = (own.clone(), *sealed.lock().unwrap());
            async move {
                match sealed {
                    true => Err(BoxError::from("the vault is sealed")),
                    false => own.oneshot(request).await,
                }
            }
        });
        let builder = preset(&bank)
            .assertion(Assertion::client(SigningAlgorithm::Ps256))
            .signer(signer);
        let stack = Stack::of(bank, client, builder);
        let error = stack.source.token().await.unwrap_err();
        assert_eq!(error.fetch_error().unwrap().kind(), FetchErrorKind::Signer);
        let text = error.to_string();
        assert!(
            text.contains("could not be signed: the vault is sealed"),
            "{text}"
        );
        assert_eq!(stack.bank.counters().token_requests, 0);

        *is_sealed.lock().unwrap() = false;
        stack.source.retry_now();
        assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_record_shows_no_assertion() {
    let key = ClientKey::generate(SigningAlgorithm::Es256);
    for client in CLIENTS {
        let bank = bank(Assertions::client(&key)).await;
        let records = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&records);
        let builder = preset(&bank)
            .assertion(Assertion::client(SigningAlgorithm::Es256))
            .signing_key(SigningKey::from_pem(key.pem()).unwrap())
            .on_attempt(move |record| {
                into.lock()
                    .unwrap()
                    .push_str(&format!("{record}{record:?}"))
            });
        Stack::of(bank, client, builder)
            .source
            .ready()
            .await
            .unwrap();
        let text = records.lock().unwrap().clone();
        assert!(text.contains("client_assertion: text [elided]"), "{text}");
        assert!(text.contains("client-assertion-type:jwt-bearer"), "{text}");
        assert!(!text.contains("eyJ"), "{text}");
    }
}
