//! One fetch per fleet.

use std::time::Duration;

use rustix::process::Signal;
use tower_oauth::testing::{Bank, BankBuilder, Fault};

use crate::{
    process::{Settings, all, lifetime_left, sums},
    server::RedisServer,
};

pub(crate) async fn world(bank: BankBuilder) -> (RedisServer, Bank, Settings) {
    let redis = RedisServer::start(&[]).await;
    let bank = bank.start().await.unwrap();
    let settings = Settings::new(&bank, &redis.url());
    (redis, bank, settings)
}

/// How long the longer cases run, in seconds.
pub(crate) fn seconds() -> u64 {
    let set = std::env::var("FLEET_SECONDS").ok();
    set.and_then(|it| it.parse().ok()).unwrap_or(10)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn fifty_cold_at_once_make_one_token_request() {
    let (_redis, bank, settings) = world(Bank::bankly()).await;
    let mut fleet = settings.fleet(50);
    let answers = all(&mut fleet, "token").await;
    assert!(
        answers.iter().all(|it| it.starts_with("ok ")),
        "{answers:?}"
    );
    assert_eq!(bank.counters().token_requests, 1);
    let mut late = settings.start();
    let answer = late.ask("token").await;
    let words: Vec<_> = answer.split(' ').collect();
    assert_eq!(words[1], "store", "{answer}");
    println!("cold replica with a stored token: {} us", words[2]);
    let mut alone = settings.with("FLEET_REDIS", "").fleet(50);
    all(&mut alone, "token").await;
    println!(
        "token requests of 50 cold replicas: 1 shared, {} not shared",
        bank.counters().token_requests - 1
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn renewals_at_short_lifetimes_are_one_token_request_each() {
    let lifetime = Duration::from_secs(4);
    let (_redis, bank, settings) = world(Bank::bankly().lifetime(lifetime)).await;
    let mut fleet = settings.fleet(20);
    all(&mut fleet, "token").await;
    let time = format!("load {}", seconds() * 1000);
    let (good, bad) = sums(&all(&mut fleet, &time).await);
    let requests = bank.counters().token_requests;
    println!(
        "renewals: {requests} token requests in {} s, {good} requests, {bad} lost",
        seconds()
    );
    assert_eq!(bad, 0);
    // A token is used for at least a half of its life.
    assert!(requests <= seconds() / 2 + 2, "{requests}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_holder_that_is_killed_costs_one_lease() {
    let (_redis, bank, settings) = world(Bank::bankly()).await;
    bank.token_faults([Fault::Delay(Duration::from_secs(60))]);
    let mut holder = settings.start();
    holder.tell("token");
    bank.wait_for(|counters| counters.token_requests == 1).await;
    holder.kill();
    let mut fleet = settings.fleet(5);
    let answers = all(&mut fleet, "token").await;
    assert!(
        answers.iter().all(|it| it.starts_with("ok ")),
        "{answers:?}"
    );
    assert_eq!(bank.counters().token_requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_holder_stopped_past_its_lease_does_not_replace_the_newer_token() {
    let (redis, bank, settings) = world(Bank::bankly()).await;
    bank.token_faults([Fault::Delay(Duration::from_secs(1))]);
    let mut holder = settings.start();
    holder.tell("token");
    bank.wait_for(|counters| counters.token_requests == 1).await;
    holder.signal(Signal::STOP);
    let token = settings.start().token().await;
    holder.signal(Signal::CONT);
    holder.answer().await;
    assert_eq!(settings.start().token().await, token);
    let leases: Vec<String> = redis.run("KEYS *:lease").await;
    assert!(leases.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_mass_revocation_under_load_is_healed_by_one_token_request() {
    let (_redis, bank, settings) = world(Bank::bankly()).await;
    let mut fleet = settings.fleet(8);
    all(&mut fleet, "token").await;
    fleet.iter_mut().for_each(|it| it.tell("load 3000"));
    bank.wait_for(|counters| counters.api_ok > 50).await;
    bank.revoke_all();
    let mut answers = Vec::new();
    for replica in &fleet {
        answers.push(replica.answer().await);
    }
    assert_eq!(sums(&answers).1, 0);
    assert_eq!(bank.counters().token_requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn one_active_token_serves_eight_processes_through_revocations() {
    let (_redis, bank, settings) = world(Bank::bankly().single_active()).await;
    let settings = settings.with("FLEET_SINGLE", "1");
    let mut fleet = settings.fleet(8);
    all(&mut fleet, "token").await;
    fleet.iter_mut().for_each(|it| it.tell("load 4000"));
    for round in 1..=2 {
        let before = bank.counters().api_ok;
        bank.wait_for(|counters| counters.api_ok > before + 100)
            .await;
        bank.revoke_all();
        bank.wait_for(|counters| counters.token_requests > round)
            .await;
    }
    let mut answers = Vec::new();
    for replica in &fleet {
        answers.push(replica.answer().await);
    }
    let (good, bad) = sums(&answers);
    println!(
        "single active: {good} requests, {bad} lost, {:?}",
        bank.counters()
    );
    assert_eq!(bad, 0);
    assert_eq!(bank.counters().token_requests, 3);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn invalid_client_is_one_denial_for_the_fleet() {
    let (_redis, bank, settings) = world(Bank::bankly()).await;
    let mut fleet = settings
        .with("FLEET_SECRET", "wrong-secret-of-some-length")
        .fleet(20);
    let answers = all(&mut fleet, "token").await;
    assert!(
        answers.iter().all(|it| it.contains("invalid_client")),
        "{answers:?}"
    );
    assert_eq!(bank.counters().token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn clocks_five_minutes_apart_share_a_token_with_its_true_life() {
    let (_redis, bank, settings) = world(Bank::bankly()).await;
    let mut first = settings.with("FLEET_CLOCK", "300").start();
    let token = first.token().await;
    let longest = lifetime_left(&first.ask("status").await);
    for clock in ["-300", "0", "300"] {
        let mut replica = settings.with("FLEET_CLOCK", clock).start();
        assert_eq!(replica.token().await, token);
        let left = lifetime_left(&replica.ask("status").await);
        assert!(left <= longest && left > longest - 60.0, "{clock}: {left}");
    }
    assert_eq!(bank.counters().token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn retry_now_on_one_replica_ends_the_back_off_of_all() {
    let (_redis, bank, settings) = world(Bank::bankly()).await;
    bank.token_faults([Fault::oauth_error(
        http::StatusCode::BAD_REQUEST,
        "invalid_scope",
    )]);
    let mut fleet = settings.fleet(4);
    let answers = all(&mut fleet, "token").await;
    assert!(
        answers.iter().all(|it| it.contains("invalid_scope")),
        "{answers:?}"
    );
    fleet[0].ask("retry_now").await;
    let token = fleet[0].token().await;
    assert_eq!(settings.start().token().await, token);
    assert_eq!(bank.counters().token_requests, 2);
}
