//! Three nodes of a cluster.

use std::time::Duration;

use tower_oauth::testing::Bank;

use crate::{
    process::{Settings, all},
    server::{RedisServer, free_port},
};

/// The slots of each node.
const SLOTS: [&str; 3] = ["0 5461", "5462 10922", "10923 16383"];

async fn cluster() -> Vec<RedisServer> {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let mut nodes = Vec::new();
    let mut first = None;
    for (at, slots) in SLOTS.iter().enumerate() {
        let bus = free_port().to_string();
        let file = format!("nodes-{}-{bus}.conf", std::process::id());
        let node = RedisServer::start(&[
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            &bus,
            "--dir",
            folder,
            "--cluster-config-file",
            &file,
        ])
        .await;
        let epoch = format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1);
        let _: String = node.run(&epoch).await;
        let _: String = node.run(&format!("CLUSTER ADDSLOTSRANGE {slots}")).await;
        let first = first.get_or_insert((node.port(), bus));
        let meet = format!("CLUSTER MEET 127.0.0.1 {} {}", first.0, first.1);
        let _: String = node.run(&meet).await;
        nodes.push(node);
    }
    for node in &nodes {
        wait_for(node).await;
    }
    nodes
}

async fn wait_for(node: &RedisServer) {
    for _ in 0..200 {
        let info: String = node.run("CLUSTER INFO").await;
        if info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the cluster does not form");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn a_cluster_of_three_nodes_is_one_store() {
    let nodes = cluster().await;
    let bank = Bank::bankly().start().await.unwrap();
    let urls: Vec<_> = nodes.iter().map(RedisServer::url).collect();
    let mut fleet = Settings::new(&bank, &urls.join(",")).fleet(6);
    let answers = all(&mut fleet, "token").await;
    assert!(
        answers.iter().all(|it| it.starts_with("ok ")),
        "{answers:?}"
    );
    let status = fleet[0].ask("status").await;
    assert!(status.contains(r#""bypassed":false"#), "{status}");
    assert_eq!(bank.counters().token_requests, 1);
    fleet[0].ask("reject").await;
    let newer = fleet[0].token().await;
    assert_eq!(
        fleet[0]
            .ask("status")
            .await
            .matches("bypassed\":false")
            .count(),
        1
    );
    let mut late = Settings::new(&bank, &urls.join(",")).start();
    assert_eq!(late.token().await, newer);
    assert_eq!(bank.counters().token_requests, 2);
}
