//! A fifth bank, known from nothing but a TOML file, called through the layer.

use std::{fs, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_oauth::{
    ClientId, ClientSecret, OAuth, OAuthLayer, RetryRejected, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

use crate::{
    fifth_bank::{API_KEY, FifthBank},
    stack::{CLIENTS, Client, Http},
};

const FILE: &str = r#"
    name = "fifth-bank"
    token_url = "ORIGIN/oauth/token?channel=api"
    origins = ["ORIGIN"]
    credentials = { body = { id = "clientId", secret = "clientSecret" } }
    body = "json"
    grant = { field = { name = "grantType", value = "servico" } }
    max_lifetime = "30m"
    refresh_margin = { fixed = "1m" }
    wait_after_429 = "1m"
    secret_length = { min = 16, max = 64 }

    [scope]
    field = "scopes"
    format = "json_array"
    required = true
    most = 2

    [token_params]
    audience = "payments"

    [token_headers]
    x-api-key = { file = "KEY_FILE" }

    [headers]
    Authorization = "{token}"
    jwt_token = "{jwt_token}"

    [response]
    token = "accessToken"
    expiry = "expiraEm"
    expiry_format = { local_time = { utc_offset_minutes = -180 } }
    extras = ["jwt_token"]

    [rejection]
    definite = [401, 419]

    [[failures]]
    status = 400
    error = "LIMITE_EXCEDIDO"
    class = "transient"
"#;

/// The client of the fifth bank, its API key in a file.
fn builder(bank: &FifthBank) -> ClientCredentialsBuilder {
    let key = format!("{}/key-{}", env!("CARGO_TARGET_TMPDIR"), bank.port());
    fs::write(&key, format!("{API_KEY}\n")).unwrap();
    let file = FILE
        .replace("ORIGIN", &bank.origin())
        .replace("KEY_FILE", &key);
    let dialect: Dialect = toml::from_str(&file).unwrap();
    ClientCredentialsBuilder::new(dialect, ClientId::new("fifth-id").unwrap())
        .secret(ClientSecret::new("c4n4ry-fifth-secret"))
        .scopes(["pix", "cob"])
        .policy(|policy| {
            policy.back_off.min_fetch_interval = Duration::from_millis(1);
            policy.retry.first_wait = Duration::from_millis(1);
        })
}

struct Caller {
    source: TokenSource,
    api: OAuth<Http, RetryRejected>,
}

impl Caller {
    fn new(bank: &FifthBank, client: Client, builder: ClientCredentialsBuilder) -> Self {
        let source = client.source(builder);
        let layer = OAuthLayer::new(source.clone()).retry_rejected();
        let api = layer.layer(client.http(&bank.origin()));
        Self { source, api }
    }

    async fn get(&self, bank: &FifthBank) -> StatusCode {
        let request = Request::get(format!("{}/pix", bank.origin()));
        let request = request.body(Full::<Bytes>::default()).unwrap();
        self.api.clone().oneshot(request).await.unwrap().status()
    }
}

#[tokio::test]
async fn a_bank_that_is_data_is_called() {
    for client in CLIENTS {
        let bank = FifthBank::open().await;
        let caller = Caller::new(&bank, client, builder(&bank));
        let statuses = join_all((0..20).map(|_| caller.get(&bank))).await;
        assert_eq!(statuses, [StatusCode::OK; 20], "{client:?}");
        assert_eq!(bank.token_requests(), 1, "{client:?}");
        // The bank said an hour, and the file knows better.
        let left = caller.source.status().expires_in.unwrap();
        assert!(left <= Duration::from_secs(1800), "{client:?}: {left:?}");
        assert!(left > Duration::from_secs(1700), "{client:?}: {left:?}");
    }
}

#[tokio::test]
async fn the_banks_own_code_for_a_dead_token_costs_one_fetch_and_no_request() {
    for client in CLIENTS {
        let bank = FifthBank::open().await;
        let caller = Caller::new(&bank, client, builder(&bank));
        caller.source.ready().await.unwrap();
        bank.revoke_all();
        let statuses = join_all((0..20).map(|_| caller.get(&bank))).await;
        assert_eq!(statuses, [StatusCode::OK; 20], "{client:?}");
        assert_eq!(bank.token_requests(), 2, "{client:?}");
    }
}

#[tokio::test]
async fn the_banks_own_code_for_busy_is_tried_again() {
    for client in CLIENTS {
        let bank = FifthBank::open().await;
        let caller = Caller::new(&bank, client, builder(&bank));
        bank.be_busy(2);
        assert_eq!(caller.get(&bank).await, StatusCode::OK, "{client:?}");
        assert_eq!(bank.token_requests(), 3, "{client:?}");
    }
}

/// It is as strict as the four, or the tests above would show nothing.
#[tokio::test]
async fn it_rejects_what_its_file_does_not_say() {
    for client in CLIENTS {
        let bank = FifthBank::open().await;
        let builder = builder(&bank).token_param("channel", "api");
        let caller = Caller::new(&bank, client, builder);
        let error = caller.source.token().await.unwrap_err();
        assert!(
            error.to_string().contains("invalid_request (HTTP 422)"),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
        assert_eq!(bank.token_requests(), 1, "{client:?}");
    }
}
