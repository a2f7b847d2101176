//! A replica: one process with one source, which does what its standard input says.

use std::{env, io::Write, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_oauth::{
    ClientId, ClientSecret, Clock, OAuthLayer, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    provider::bankly,
    shared::{SealingKeys, SharedStore, WhenStoreIsDown},
};

fn var(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

async fn store() -> SharedStore {
    let keys = SealingKeys::from_base64(&var("FLEET_KEY")).unwrap();
    let urls = var("FLEET_REDIS");
    if !urls.contains(',') {
        return SharedStore::redis(&urls, keys).unwrap();
    }
    let cluster = redis::cluster::ClusterClient::new(urls.split(',')).unwrap();
    SharedStore::redis_over(cluster.get_async_connection().await.unwrap(), keys)
}

/// A clock that is set wrong by so many seconds, if it says so.
fn clock() -> Clock {
    let clock = Clock::tokio();
    match var("FLEET_CLOCK").parse::<i64>() {
        Ok(by @ ..0) => clock.step_wall_back(Duration::from_secs(by.unsigned_abs())),
        Ok(by) => clock.step_wall_forward(Duration::from_secs(by.unsigned_abs())),
        Err(_) => return Clock::system(),
    }
    clock
}

async fn source() -> TokenSource {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut builder =
        ClientCredentialsBuilder::new(bankly::dialect(), ClientId::new(var("FLEET_ID")).unwrap())
            .secret(ClientSecret::new(var("FLEET_SECRET")))
            .scopes(["boleto.read"])
            .token_url(var("FLEET_TOKEN_URL"))
            .origin(var("FLEET_API"))
            .clock(clock())
            .policy(|policy| {
                policy.timeouts.attempt = Duration::from_secs(2);
                policy.refresh.single_active = var("FLEET_SINGLE") == "1";
            });
    if !var("FLEET_REDIS").is_empty() {
        builder =
            builder
                .shared(store().await)
                .when_store_is_down(match var("FLEET_DOWN").as_str() {
                    "fail" => WhenStoreIsDown::Fail,
                    _ => WhenStoreIsDown::FetchAlone,
                });
    }
    builder.build(client).unwrap()
}

/// `None` once the test has ended.
fn read_line() -> Option<String> {
    std::io::stdin().lines().next()?.ok()
}

/// Sends API requests for so long, and says how many got a good answer.
async fn load(source: &TokenSource, duration: Duration) -> (u32, u32) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut api = ServiceBuilder::new()
        .layer(OAuthLayer::new(source.clone()).retry_rejected())
        .service(client);
    let (mut good, mut bad) = (0, 0);
    let end = Instant::now() + duration;
    while Instant::now() < end {
        let request = http::Request::get(var("FLEET_URL"))
            .header("api-version", "1.0")
            .body(Full::default())
            .unwrap();
        match api.ready().await.unwrap().call(request).await {
            Ok(answer) if answer.status().is_success() => good += 1,
            Ok(answer) => {
                eprintln!("worker: {}", answer.status());
                bad += 1;
            }
            Err(error) => {
                eprintln!("worker: {error}");
                bad += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (good, bad)
}

#[tokio::test]
#[ignore = "a process of the other tests' fleets"]
async fn worker() {
    if var("FLEET_ID").is_empty() {
        return;
    }
    let source = source().await;
    while let Some(line) = tokio::task::spawn_blocking(read_line).await.unwrap() {
        let (word, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number = Duration::from_millis(number.parse().unwrap());
        let answer = match word {
            "token" => {
                let started = Instant::now();
                match source.token().await {
                    Ok(token) => {
                        let took = started.elapsed().as_micros();
                        let from = source.status().obtained_from.unwrap().as_str();
                        format!("ok {from} {took} {}", token.expose_token())
                    }
                    Err(error) => format!("error {error}"),
                }
            }
            "reject" => {
                let token = source.token().await.unwrap();
                source.invalidate(token.generation());
                "ok".into()
            }
            "retry_now" => {
                source.retry_now();
                "ok".into()
            }
            "load" => {
                let (good, bad) = load(&source, number).await;
                format!("{good} {bad}")
            }
            "status" => serde_json::to_string(&source.status()).unwrap(),
            _ => "what?".into(),
        };
        println!("\n> {answer}");
        std::io::stdout().flush().unwrap();
    }
}
