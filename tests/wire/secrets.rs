//! A secret rotated at a strict bank while requests run: no request fails, one denial at most, no back-off is waited for.

use std::{env, fs};

use http::StatusCode;
use tower_oauth::Secret;

use crate::stack::{BANKS, CLIENTS, Stack, preset};

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
