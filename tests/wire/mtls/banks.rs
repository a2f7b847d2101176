//! What works: every bank, with one certificate for the token endpoint and the API.

use http::StatusCode;
use tower::{Layer, ServiceExt};
use tower_oauth::{
    ClientId, OAuthLayer,
    client_credentials::ClientCredentialsBuilder,
    provider::bankly,
    testing::{Authority, Bank},
};

use crate::{
    mtls::stack::{CLIENTS, Credentials, Stack, open},
    support::presets::{BANKS, at, preset},
};

#[tokio::test]
async fn every_bank_is_served_and_retries_over_mtls() {
    let authority = Authority::new().unwrap();
    let credentials = Credentials::good(&authority);
    for client in CLIENTS {
        for builder in BANKS {
            let bank = open(builder(), &authority).await;
            let case = format!("{} by {client:?}", bank.name());
            let stack = Stack::new(client, &credentials, preset(&bank));
            for fetches in [1, 2] {
                let response = stack.post(&bank.api_url()).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK, "{case}");
                assert_eq!(bank.counters().token_requests, fetches, "{case}");
                // A 401 to the next request, whatever the bank.
                bank.expire_all();
            }
            assert_eq!(bank.counters().token_denials, 0, "{case}");
        }
    }
}

/// Bankly's endpoint for clients that show a certificate rejects a request with a secret in it.
fn by_certificate(bank: &Bank) -> ClientCredentialsBuilder {
    let id = ClientId::new(bank.client_id()).unwrap();
    let builder = bankly::mtls_sandbox(id).scopes(["boleto.read"]);
    at(bank, builder).token_url(bank.mtls_token_url().unwrap())
}

#[tokio::test]
async fn bankly_by_certificate_gets_no_secret() {
    let authority = Authority::new().unwrap();
    let credentials = Credentials::good(&authority);
    for client in CLIENTS {
        let bank = open(Bank::bankly(), &authority).await;
        let stack = Stack::new(client, &credentials, by_certificate(&bank));
        let response = stack.post(&bank.api_url()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{client:?}");
        assert_eq!(bank.last_error(), None, "{client:?}");
        assert_eq!(bank.counters().token_requests, 1, "{client:?}");
    }
}

/// Its tokens are bound to the certificate (RFC 8705 §3), so that the API must see the same.
#[tokio::test]
async fn the_api_must_see_the_certificate_that_the_token_endpoint_saw() {
    let authority = Authority::new().unwrap();
    for client in CLIENTS {
        let bank = open(Bank::bankly(), &authority).await;
        let stack = Stack::new(
            client,
            &Credentials::good(&authority),
            by_certificate(&bank),
        );
        let other = Stack::new(
            client,
            &Credentials::good(&authority),
            by_certificate(&bank),
        );
        let mixed = OAuthLayer::new(stack.source.clone()).layer(other.api.get_ref().clone());

        let request = http::Request::get(bank.api_url()).body(Default::default());
        let response = mixed.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{client:?}");
        assert!(bank.last_error().unwrap().contains("bound to another"));
        let response = stack.post(&bank.api_url()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{client:?}");
    }
}
