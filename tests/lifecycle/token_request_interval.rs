//! A dialect's least interval between token requests, on a paused clock.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use tokio::time::Instant;
use tower::service_fn;
use tower_oauth::{
    ClientId, ClientSecret, Clock,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

/// A token endpoint that fails, one caller after the other: no two token requests come closer than the interval.
#[tokio::test(start_paused = true)]
async fn no_two_token_requests_come_closer_than_the_interval() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let endpoint = service_fn(move |_: http::Request<Full<Bytes>>| {
        seen.lock().unwrap().push(Instant::now());
        let busy = http::Response::builder().status(503);
        let busy = busy.body(Full::<Bytes>::default()).unwrap();
        async { Ok::<_, Infallible>(busy) }
    });
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    dialect.min_fetch_interval = Some(Duration::from_secs(60));
    let source = ClientCredentialsBuilder::new(dialect, ClientId::new("me").unwrap())
        .secret(ClientSecret::new("shh"))
        .clock(Clock::tokio())
        .build(endpoint)
        .unwrap();
    for _ in 0..60 {
        assert!(source.token().await.is_err());
        // An operator who is in a hurry gains nothing either.
        source.retry_now();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let times = times.lock().unwrap();
    assert!(times.len() >= 3, "{}", times.len());
    for pair in times.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart >= Duration::from_secs(60), "{apart:?}");
    }
}
