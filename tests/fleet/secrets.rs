//! What is in the store, and who can read it.

use std::time::Duration;

use futures_util::StreamExt;
use tower_oauth::testing::Bank;

use crate::{
    cases::world,
    process::{KEY, OTHER_KEY, all},
    server::RedisServer,
};

/// The name of the one stored token.
async fn token_key(redis: &RedisServer) -> String {
    let keys: Vec<String> = redis.run("KEYS *:token").await;
    assert_eq!(keys.len(), 1);
    keys[0].clone()
}

async fn set(redis: &RedisServer, key: &str, value: &[u8]) {
    let mut connection = redis.connect().await.unwrap();
    let mut command = redis::cmd("SET");
    command.arg(key).arg(value);
    let _: String = command.query_async(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn monitor_and_the_data_show_no_token_and_no_secret() {
    let (redis, bank, settings) = world(Bank::bankly()).await;
    let client = redis::Client::open(redis.url()).unwrap();
    let monitor = client.get_async_monitor().await.unwrap();
    let mut fleet = settings.fleet(3);
    all(&mut fleet, "token").await;
    let token = fleet[0].token().await;
    let mut lines = monitor.into_on_message::<String>();
    let mut seen = String::new();
    while let Ok(Some(line)) = tokio::time::timeout(Duration::from_millis(500), lines.next()).await
    {
        seen += &line;
    }
    let stored: Vec<u8> = redis.run(&format!("GET {}", token_key(&redis).await)).await;
    assert!(seen.contains("EVALSHA"), "{seen}");
    let ttl: u64 = redis
        .run(&format!("PTTL {}", token_key(&redis).await))
        .await;
    assert!(ttl <= 3_600_000, "{ttl}");
    println!(
        "MONITOR: {} commands, {} bytes",
        seen.matches("EVALSHA").count(),
        seen.len()
    );
    let mut stored = stored;
    let keys: Vec<String> = redis.run("KEYS *").await;
    for key in &keys {
        stored.extend(key.as_bytes());
        stored.extend(redis.run::<Vec<u8>>(&format!("DUMP {key}")).await);
    }
    for secret in [token.as_str(), bank.client_secret(), bank.client_id(), KEY] {
        assert!(!seen.contains(secret));
        let bytes = secret.as_bytes();
        assert!(!stored.windows(bytes.len()).any(|it| it == bytes));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn wrong_keys_are_misses_and_rotated_keys_open() {
    let (_redis, bank, settings) = world(Bank::bankly()).await;
    let token = settings.start().token().await;
    let rotated = settings.with("FLEET_KEY", &format!("{OTHER_KEY},{KEY}"));
    assert_eq!(rotated.start().token().await, token);
    assert_eq!(bank.counters().token_requests, 1);
    settings.with("FLEET_KEY", OTHER_KEY).start().token().await;
    assert_eq!(bank.counters().token_requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn tampered_swapped_foreign_and_oversized_entries_are_misses() {
    let (redis, bank, settings) = world(Bank::bankly()).await;
    settings.start().token().await;
    let key = token_key(&redis).await;
    let stored: Vec<u8> = redis.run(&format!("GET {key}")).await;
    let mut tampered = stored.clone();
    *tampered.last_mut().unwrap() ^= 1;
    let entries = [
        tampered,
        b"foreign".to_vec(),
        Vec::new(),
        vec![1; 1_000_000],
    ];
    for (at, entry) in entries.iter().enumerate() {
        set(&redis, &key, entry).await;
        settings.start().token().await;
        assert_eq!(bank.counters().token_requests, at as u64 + 2);
    }
    // The token of another source.
    let _: String = redis.run("FLUSHALL").await;
    let other = bank.token_url().replace("127.0.0.1", "localhost");
    settings
        .with("FLEET_TOKEN_URL", &other)
        .start()
        .token()
        .await;
    let swapped: Vec<u8> = redis.run(&format!("GET {}", token_key(&redis).await)).await;
    let before = bank.counters().token_requests;
    set(&redis, &key, &swapped).await;
    settings.start().token().await;
    assert_eq!(bank.counters().token_requests, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn an_entry_older_than_its_token_is_a_miss() {
    let lifetime = Duration::from_secs(3);
    let (redis, bank, settings) = world(Bank::bankly().lifetime(lifetime)).await;
    let old = settings.start().token().await;
    let key = token_key(&redis).await;
    let stored: Vec<u8> = redis.run(&format!("GET {key}")).await;
    tokio::time::sleep(lifetime).await;
    set(&redis, &key, &stored).await;
    assert_ne!(settings.start().token().await, old);
    assert_eq!(bank.counters().token_requests, 2);
}
