//! The code of the guide `docs/test_your_service.md`. In your service, each function here is a test.
//!
//! ```sh
//! cargo run --example guide_test_your_service
//! ```

use std::time::Duration;

use http::{Request, StatusCode};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, Clock, FailureClass, FetchError, OAuthLayer, Origin,
    SourceState, Token, TokenRequest, TokenSource,
    provider::avista,
    testing::{Bank, Fault},
    transport::ReqwestService,
};

fn main() -> Result<(), BoxError> {
    against_a_bank()?;
    on_a_paused_clock()?;
    a_fetcher_alone();
    Ok(())
}

#[tokio::main]
async fn against_a_bank() -> Result<(), BoxError> {
    let bank = Bank::avista().start().await?;

    // Stands for your own service.
    let origin: Origin = bank.api_origin().parse()?;
    let secret = ClientSecret::new(bank.client_secret());
    let source = avista::production(ClientId::new(bank.client_id())?, secret)
        .token_url(bank.token_url())
        .origin(bank.api_origin())
        // The test fetches several times in a row.
        .policy(|policy| policy.back_off.min_fetch_interval = Duration::from_millis(1))
        .build_reqwest(reqwest::Client::builder())?;
    let api = ServiceBuilder::new()
        .layer(OAuthLayer::new(source.clone()).retry_rejected())
        .service(ReqwestService::new(reqwest::Client::builder(), &origin)?);
    let charge = || Request::get(bank.url("/cob/1")).body(String::new());

    // The bank revokes the token. The request succeeds all the same.
    source.ready().await?;
    bank.revoke_all();
    assert_eq!(
        api.clone().oneshot(charge()?).await?.status(),
        StatusCode::OK
    );
    assert_eq!(bank.counters().token_requests, 2);

    // The API fails once.
    bank.api_faults([Fault::status(StatusCode::BAD_GATEWAY)]);
    assert_eq!(
        api.clone().oneshot(charge()?).await?.status(),
        StatusCode::BAD_GATEWAY
    );

    // The token endpoint denies a new token after the old one has expired.
    bank.expire_all();
    bank.token_fault_always(Fault::oauth_error(
        StatusCode::UNAUTHORIZED,
        "invalid_client",
    ));
    let response = api.clone().oneshot(charge()?).await?;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED); // the bank's own answer
    assert!(source.status().error.unwrap().contains("invalid_client"));

    // The cause is fixed, and the back-off ends.
    bank.heal();
    source.retry_now();
    assert_eq!(api.oneshot(charge()?).await?.status(), StatusCode::OK);
    Ok(())
}

// In a test: #[tokio::test(start_paused = true)]
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn on_a_paused_clock() -> Result<(), BoxError> {
    let clock = Clock::tokio();
    let fetcher = service_fn(|_: TokenRequest| async {
        Ok::<_, BoxError>(Token::new("abc").with_lifetime(Duration::from_secs(3600)))
    });
    let source = TokenSource::builder(fetcher).clock(clock.clone()).build()?;
    source.ready().await?;

    tokio::time::advance(Duration::from_secs(2500)).await;
    assert_eq!(source.status().state, SourceState::Fresh);

    clock.step_wall_forward(Duration::from_secs(3600)); // the machine was suspended
    assert_eq!(source.status().state, SourceState::Expired);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn a_fetcher_alone() {
    let fetcher = service_fn(|_: TokenRequest| async {
        Err::<Token, _>(FetchError::transient("the vault is sealed"))
    });
    let error = fetcher
        .oneshot(TokenRequest::first(std::time::UNIX_EPOCH))
        .await
        .unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient);
}
