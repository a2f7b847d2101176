//! Neither is the certificate's key, nor anything that travels under TLS.

use http::StatusCode;
use tower_oauth::testing::Authority;

use crate::{
    mtls::stack::{CLIENTS, Credentials, Stack, open},
    support::logs::Logs,
    support::presets::{BANKS, preset},
};

#[tokio::test]
async fn neither_key_nor_secret_nor_token_is_shown() {
    let (logs, _listening) = Logs::listen();
    let authority = Authority::new().unwrap();
    let credentials = Credentials::good(&authority);
    for (client, builder) in CLIENTS.into_iter().zip(BANKS) {
        let bank = open(builder().credentials("the-id", "c4n4ry-secret"), &authority).await;
        let stack = Stack::new(client, &credentials, preset(&bank));
        let response = stack.post(&bank.api_url()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{client:?}");
    }
    let identity = credentials.shown.unwrap();
    logs.record(&format!("{identity:?}"), |_| {});

    let key = identity.key_pem().lines().nth(1).unwrap();
    for canary in [key, "c4n4ry", "eyJhbGci"] {
        assert_eq!(logs.with(canary), Vec::<String>::new());
    }
    assert!(!logs.with("rustls").is_empty(), "{:#?}", logs.lines());
}
