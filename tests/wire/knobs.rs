//! Knobs of the dialect over sockets, where an exchange of the catalogue does not show them.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Service, ServiceExt};
use tower_oauth::{
    ClientId, ClientSecret, TokenRequest, provider,
    testing::{Bank, Exchange},
};

use crate::support::logs::Logs;

const FEWER: &str = r#"
> POST /oauth/token
> accept: application/json
> authorization: Basic bWU6c2ho
> content-type: application/x-www-form-urlencoded
>
> grant_type=client_credentials&scope=cob.read%20cob.write

< 200
<
< {"access_token":"abc","expires_in":3600,"scope":"cob.read"}

= lifetime 3600
"#;

#[tokio::test]
async fn fewer_scopes_than_asked_for_are_one_warning() {
    let (logs, _guard) = Logs::listen();
    let bank = Bank::from_exchange(Exchange::from_text(FEWER).unwrap(), 0);
    let bank = bank.await.unwrap();
    let sicredi = provider::find("sicredi-pix").unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut fetcher = sicredi
        .builder("production", ClientId::new("me").unwrap())
        .unwrap()
        .secret(ClientSecret::new("shh"))
        .name("sicredi/customer-17")
        .scopes(["cob.read", "cob.write"])
        .token_url(bank.token_url())
        .fetcher(client)
        .unwrap();
    for _ in 0..2 {
        let attempt = TokenRequest::first(UNIX_EPOCH);
        fetcher.ready().await.unwrap().call(attempt).await.unwrap();
    }
    assert_eq!(bank.differences(), Vec::<String>::new());
    let warned = logs.with("fewer scopes");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(
        warned[0].contains("cob.write") && !warned[0].contains("abc"),
        "{warned:?}"
    );
    assert!(
        warned[0].contains("provider=\"sicredi/customer-17\""),
        "{warned:?}"
    );
}
