//! The scenes, and what must hold in each.

use std::time::Duration;

use http::StatusCode;
use tower_oauth::{BoxError, OAuthError, testing::Fault};

use crate::{report::Finding, setup::Setup};

pub(crate) async fn cold_start(setup: Setup) -> Result<Finding, BoxError> {
    let load = setup.get_many(&setup.bank.api_url(), 1000).await;
    let good = load.count(StatusCode::OK);
    let passed = good == 1000 && setup.token_requests() == 1;
    Ok(setup.finding(&load, passed, format!("{good} of 1000 answered 200")))
}

/// Every fetch but the first must have started while the token before it could still be used.
pub(crate) async fn refresh_under_load(setup: Setup) -> Result<Finding, BoxError> {
    setup.bank.set_lifetime(Duration::from_secs(2));
    setup.source.ready().await?;
    setup
        .bank
        .token_fault_always(Fault::Delay(Duration::from_millis(300)));
    let load = setup.load_for(Duration::from_secs(4)).await;
    let counters = setup.source.status().counters;
    let passed = load.all(StatusCode::OK)
        && counters.fetches >= 2
        && counters.fetches == counters.refreshes_ahead + 1;
    let what = format!("{} refreshes, none waited for", counters.refreshes_ahead);
    Ok(setup.finding(&load, passed, what))
}

pub(crate) async fn revocation(setup: Setup) -> Result<Finding, BoxError> {
    setup.source.ready().await?;
    setup.bank.revoke_all();
    let load = setup.get_many(&setup.bank.api_url(), 100).await;
    let good = load.count(StatusCode::OK);
    let passed = good == 100 && setup.token_requests() == 2;
    Ok(setup.finding(&load, passed, format!("{good} of 100 answered 200")))
}

pub(crate) async fn outage(setup: Setup) -> Result<Finding, BoxError> {
    setup.bank.set_lifetime(Duration::from_secs(3));
    setup.source.ready().await?;
    setup
        .bank
        .token_fault_always(Fault::status(StatusCode::SERVICE_UNAVAILABLE));
    let good_for = setup.source.status().expires_in.unwrap_or_default();
    let load = setup
        .load_for(good_for.saturating_sub(Duration::from_millis(400)))
        .await;

    tokio::time::sleep(Duration::from_millis(500)).await; // now the token has expired
    let says_when = match setup.get_one().await {
        Err(error) => {
            OAuthError::find(error.as_ref()).is_some_and(|error| error.retry_at().is_some())
        }
        Ok(_) => false,
    };
    setup.bank.heal();
    setup.source.retry_now(); // or wait until then
    let back = matches!(setup.get_one().await, Ok(StatusCode::OK));
    let passed = load.all(StatusCode::OK) && says_when && back;
    let what = "200 until the token expired, an error, 200 again".into();
    Ok(setup.finding(&load, passed, what))
}

pub(crate) async fn forbidden(setup: Setup) -> Result<Finding, BoxError> {
    setup.source.ready().await?;
    let url = setup.bank.forbidden_url();
    let mut load = setup.get_many(&url, 20).await;
    load.extend(setup.get_many(&setup.bank.api_url(), 50).await);
    load.extend(setup.get_many(&url, 50).await);
    let forbidden = load.count(StatusCode::FORBIDDEN);
    let good = load.count(StatusCode::OK);
    let allowed = if setup.bank.name() == "anbima" { 2 } else { 1 };
    let passed = forbidden == 70 && good == 50 && setup.token_requests() == allowed;
    let what = format!("{forbidden} of 70 answered 403, {good} of 50 answered 200");
    Ok(setup.finding(&load, passed, what))
}
