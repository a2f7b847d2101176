//! Ids and secrets of characters that some encoding minds, against banks that compare them to the letter.

use http::StatusCode;
use tower_oauth::{
    ClientId, ClientSecret, FailureClass, OAuthError,
    client_credentials::{ClientCredentialsBuilder, CredentialPlacement},
    provider,
    testing::Bank,
};

use crate::stack::{BANKS, CLIENTS, Stack, at, preset, reqwest_builder};

const SECRET: &str = ":s%e+c r/ü&=\"\\?";

/// Raw Basic at ANBIMA and Conta Simples, JSON at Avista, a form at Bankly.
#[tokio::test]
async fn each_bank_gets_them_as_they_are() {
    for open in BANKS {
        for client in CLIENTS {
            // ANBIMA's id is a header as well, which takes ASCII alone.
            let ids = ["i%d+ &=\"\\", "ü%C3%BC"];
            let most = if open().start().await.unwrap().name() == "anbima" {
                1
            } else {
                2
            };
            for id in &ids[..most] {
                let stack = Stack::open(open().credentials(*id, SECRET), client).await;
                assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
                stack.assert_fetches(1);
            }
        }
    }
}

/// RFC 6749 §2.3.1, with a space as `%20`: this bank knows the encoded pair. A colon in the id is then allowed.
#[tokio::test]
async fn by_the_urlencoded_rule_a_bank_gets_them_encoded() {
    for client in CLIENTS {
        let bank = Bank::conta_simples().credentials(
            "i%3Ad%25%2B%20%C3%BC%26",
            "%3As%25e%2Bc%20r%2F%C3%BC%26%3D%22%5C%3F",
        );
        let bank = bank.start().await.unwrap();
        let mut dialect = provider::conta_simples::dialect();
        dialect.credentials = CredentialPlacement::BasicEncoded;
        let id = ClientId::new("i:d%+ ü&").unwrap();
        let builder = ClientCredentialsBuilder::new(dialect, id).secret(ClientSecret::new(SECRET));
        let builder = at(&bank, builder);
        let stack = Stack::of(bank, client, builder);
        assert_eq!(stack.get(&stack.bank.api_url()).await, StatusCode::OK);
        stack.assert_fetches(1);
    }
}

/// What raw Basic or a header cannot carry is an error before anything is sent.
#[tokio::test]
async fn an_id_that_cannot_travel_is_an_error_when_built() {
    for (open, id, field) in [
        (BANKS[0], "i:d", "client_id"),
        (BANKS[2], "i:d", "client_id"),
        (BANKS[0], "ü", "headers"),
    ] {
        let bank = open().credentials(id, SECRET).start().await.unwrap();
        let error = preset(&bank).build_reqwest(reqwest_builder()).unwrap_err();
        assert_eq!(error.field(), field, "{}: {id}", bank.name());
        assert_eq!(bank.counters().token_requests, 0);
    }
}

/// The wrong secret is a denial by the bank's own code, and its text is in nothing that is shown.
#[tokio::test]
async fn a_wrong_secret_is_denied_for_good() {
    for open in BANKS {
        for client in CLIENTS {
            let right = open().start().await.unwrap();
            let wrong = open().credentials(right.client_id(), "c4n4ry-wrong");
            let wrong = wrong.start().await.unwrap();
            // The client knows what is wrong at the bank it calls.
            let builder = preset(&wrong)
                .token_url(right.token_url())
                .origin(right.api_origin());
            let stack = Stack::of(right, client, builder);
            let error = stack.error().await;
            let oauth = OAuthError::find(&*error).unwrap();
            let case = stack.case();
            assert!(oauth.is_denied(), "{case}: {oauth}");
            assert_eq!(
                oauth.fetch_error().unwrap().code(),
                Some("invalid_client"),
                "{case}"
            );
            assert_eq!(oauth.class(), Some(FailureClass::Permanent), "{case}");
            assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{case}");
            assert_eq!(stack.counters().token_requests, 1, "{case}");
        }
    }
}
