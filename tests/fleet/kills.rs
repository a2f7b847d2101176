//! Replicas that are killed while the fleet refreshes its token.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tower_oauth::testing::{Bank, Fault};

use crate::{
    cases::{seconds, world},
    process::sums,
};

const REPLICAS: usize = 8;
const LIFETIME: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn kills_during_refreshes_lose_no_request_of_the_others() {
    let (_redis, bank, settings) = world(Bank::bankly().lifetime(LIFETIME)).await;
    // Long enough for the kills to meet the fetch.
    bank.token_fault_always(Fault::Delay(Duration::from_millis(300)));
    let end = Instant::now() + Duration::from_secs(seconds().max(15));
    let start = || {
        let mut replica = settings.start();
        let left = end.saturating_duration_since(Instant::now());
        replica.tell(&format!("load {}", left.as_millis()));
        replica
    };
    let mut fleet: Vec<_> = (0..REPLICAS).map(|_| start()).collect();
    let (mut requests, mut rounds) = (0, 0);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let next = bank.wait_for(|it| it.token_requests > requests);
        let Ok(counters) = timeout(left, next).await else {
            break;
        };
        requests = counters.token_requests;
        rounds += 1;
        // One half, and the other half the next time: often the holder is among them.
        for replica in fleet.iter_mut().skip(rounds % 2).step_by(2) {
            replica.kill();
            *replica = start();
        }
    }
    let mut answers = Vec::new();
    for replica in &fleet {
        answers.push(replica.answer().await);
    }
    let (good, bad) = sums(&answers);
    println!("kills: {rounds} rounds, {requests} token requests, {good} requests, {bad} lost");
    assert!(rounds >= 3, "{rounds}");
    assert_eq!(bad, 0);
}
