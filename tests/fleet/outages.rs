//! The store away, slow, full, flushed, or closed to us.

use std::time::Duration;

use rustix::process::Signal;
use tower_oauth::testing::Bank;

use crate::{
    cases::world,
    process::{Settings, all, sums},
    server::RedisServer,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn killing_redis_fails_no_request_while_a_token_lives() {
    let (mut redis, bank, settings) = world(Bank::bankly()).await;
    let mut fleet = settings.fleet(8);
    all(&mut fleet, "token").await;
    redis.kill();
    let (good, bad) = sums(&all(&mut fleet, "load 1500").await);
    println!("redis killed: {good} requests, {bad} lost");
    assert_eq!((bad, bank.counters().token_requests), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn without_redis_a_replica_fetches_alone_or_fails_as_chosen() {
    let (mut redis, _bank, settings) = world(Bank::bankly()).await;
    redis.kill();
    let mut alone = settings.start();
    alone.token().await;
    let status = alone.ask("status").await;
    assert!(status.contains(r#""bypassed":true"#), "{status}");
    let answer = settings
        .with("FLEET_DOWN", "fail")
        .start()
        .ask("token")
        .await;
    assert!(answer.contains("the shared store"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn client_pause_costs_its_bound_and_no_request() {
    let (redis, bank, settings) = world(Bank::bankly()).await;
    let mut fleet = settings.fleet(4);
    all(&mut fleet, "token").await;
    let _: String = redis.run("CLIENT PAUSE 3000 ALL").await;
    let mut cold = settings.start();
    let answer = cold.ask("token").await;
    let words: Vec<_> = answer.split(' ').collect();
    assert_eq!((words[0], words[1]), ("ok", "endpoint"), "{answer}");
    let micros: u64 = words[2].parse().unwrap();
    assert!(micros < 1_500_000, "{micros}");
    let (_, bad) = sums(&all(&mut fleet, "load 500").await);
    assert_eq!((bad, bank.counters().token_requests), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_restart_is_one_more_token_request() {
    let (mut redis, bank, settings) = world(Bank::bankly()).await;
    let mut fleet = settings.fleet(4);
    all(&mut fleet, "token").await;
    redis.restart().await;
    let mut cold = settings.fleet(4);
    all(&mut cold, "token").await;
    assert_eq!(bank.counters().token_requests, 2);
    let (_, bad) = sums(&all(&mut fleet, "load 300").await);
    assert_eq!(bad, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn flushall_is_one_more_token_request() {
    let (redis, bank, settings) = world(Bank::bankly()).await;
    let old = settings.start().token().await;
    let _: String = redis.run("FLUSHALL").await;
    let mut cold = settings.fleet(4);
    all(&mut cold, "token").await;
    assert_eq!(bank.counters().token_requests, 2);
    assert_ne!(cold[0].token().await, old);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_full_store_fails_no_replica() {
    let (redis, _bank, settings) = world(Bank::bankly()).await;
    let _: String = redis.run("CONFIG SET maxmemory 1").await;
    let mut fleet = settings.fleet(3);
    let answers = all(&mut fleet, "token").await;
    assert!(
        answers.iter().all(|it| it.starts_with("ok ")),
        "{answers:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_wrong_password_or_database_is_an_error_with_its_reason() {
    let redis = RedisServer::start(&["--requirepass", "right"]).await;
    let bank = Bank::bankly().start().await.unwrap();
    let address = redis.url().replace("redis://", "");
    let with = |user: &str| Settings::new(&bank, &format!("redis://{user}@{address}"));
    for user in [":c4n4ry", "nobody:c4n4ry"] {
        let answer = with(user).start().ask("token").await;
        assert!(answer.contains("check its user, password"), "{answer}");
        assert!(!answer.contains("c4n4ry"), "{answer}");
    }
    let no_database = Settings::new(&bank, &format!("redis://:right@{address}/99"));
    let answer = no_database.start().ask("token").await;
    assert!(answer.contains("permissions and database"), "{answer}");
    assert!(answer.contains("out of range"), "{answer}");
    let mut right = with(":right").start();
    right.token().await;
    assert_eq!(bank.counters().token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_redis_that_hangs_costs_a_cold_replica_its_bound_once() {
    let (redis, bank, settings) = world(Bank::bankly()).await;
    let mut fleet = settings.fleet(4);
    all(&mut fleet, "token").await;
    redis.signal(Signal::STOP);
    // The kernel still accepts connections.
    let answer = settings.start().ask("token").await;
    let words: Vec<_> = answer.split(' ').collect();
    assert_eq!((words[0], words[1]), ("ok", "endpoint"), "{answer}");
    let micros: u64 = words[2].parse().unwrap();
    println!(
        "redis hangs: a cold replica is ready in {} ms",
        micros / 1000
    );
    assert!((250_000..1_500_000).contains(&micros), "{micros}");
    let (_, bad) = sums(&all(&mut fleet, "load 500").await);
    redis.signal(Signal::CONT);
    assert_eq!((bad, bank.counters().token_requests), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_store_that_became_read_only_fails_no_replica() {
    let (redis, bank, settings) = world(Bank::bankly()).await;
    let token = settings.start().token().await;
    // As after a fail-over to another node.
    let _: String = redis.run("REPLICAOF 127.0.0.1 1").await;
    let mut replica = settings.start();
    assert_eq!(replica.token().await, token);
    replica.ask("reject").await;
    assert_ne!(replica.token().await, token);
    let status = replica.ask("status").await;
    assert!(status.contains(r#""bypassed":true"#), "{status}");
    let _: String = redis.run("REPLICAOF NO ONE").await;
    assert_eq!(bank.counters().token_requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn redis_comes_back_and_is_used_again() {
    let (mut redis, bank, settings) = world(Bank::bankly()).await;
    redis.kill();
    let mut replica = settings.start();
    replica.token().await;
    redis.restart().await;
    // As long as the breaker leaves it alone.
    tokio::time::sleep(Duration::from_secs(5)).await;
    replica.ask("reject").await;
    let token = replica.token().await;
    let status = replica.ask("status").await;
    assert!(status.contains(r#""bypassed":false"#), "{status}");
    assert_eq!(settings.start().token().await, token);
    assert_eq!(bank.counters().token_requests, 2);
}
