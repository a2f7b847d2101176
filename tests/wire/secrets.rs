//! A secret rotated at a strict bank while requests run: no request fails, one denial at most, no back-off is waited for.

use std::{
    env, fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use tower_oauth::{ClientSecret, Secret, testing::Bank};

use crate::stack::{BANKS, CLIENTS, Client, Stack, preset};

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
