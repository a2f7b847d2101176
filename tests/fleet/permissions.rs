//! What a user of the store may do.

use tower_oauth::testing::Bank;

use crate::{
    cases::world,
    process::{Settings, all},
    server::RedisServer,
};

/// The permissions that the guide names.
const ENOUGH: &str =
    "~tower-oauth:* +evalsha +eval +script|load +time +get +set +del +incr +pexpire";

async fn user(redis: &RedisServer, rules: &str) -> String {
    let command = format!("ACL SETUSER limited reset on >c4n4ry {rules}");
    let _: String = redis.run(&command).await;
    redis.url().replace("redis://", "redis://limited:c4n4ry@")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn the_permissions_of_the_guide_are_enough() {
    let guide = include_str!("../../docs/share_a_token.md");
    let line = guide.lines().find(|it| it.contains("**Permissions**"));
    let named: Vec<_> = line.unwrap().split('`').skip(1).step_by(2).collect();
    let granted: Vec<_> = ENOUGH.split(' ').skip(1).collect();
    for command in &granted {
        let command = command.replace(['+', '|'], " ").trim().to_uppercase();
        assert!(named.contains(&command.as_str()), "{command}");
    }
    assert_eq!(named.len(), granted.len() + 1, "{named:?}");
    let (redis, bank, settings) = world(Bank::bankly()).await;
    let url = user(&redis, ENOUGH).await;
    let mut fleet = settings.with("FLEET_REDIS", &url).fleet(3);
    all(&mut fleet, "token").await;
    fleet[0].ask("reject").await;
    fleet[0].token().await;
    fleet[0].ask("retry_now").await;
    let status = fleet[0].ask("status").await;
    assert!(status.contains(r#""store_failures":0"#), "{status}");
    assert_eq!(bank.counters().token_requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_missing_permission_is_an_error_with_its_reason() {
    let (redis, bank, _) = world(Bank::bankly()).await;
    for missing in [
        "-evalsha",
        "-incr",
        "-time",
        "-get",
        "-set",
        "resetkeys ~other:*",
    ] {
        let url = user(&redis, &format!("{ENOUGH} {missing}")).await;
        let answer = Settings::new(&bank, &url).start().ask("token").await;
        assert!(
            answer.contains("check its user, password, permissions and database"),
            "{missing}: {answer}"
        );
        assert!(!answer.contains("c4n4ry"), "{answer}");
    }
    assert_eq!(bank.counters().token_requests, 0);
}
