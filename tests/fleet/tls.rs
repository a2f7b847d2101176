//! A `redis-server` with TLS.

use std::{fs, path::PathBuf, time::Duration};

use tower_oauth::testing::Bank;

use crate::{
    process::{Settings, all},
    server::{RedisServer, free_port},
};

struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let pair = Pair {
        certificate: folder.join("redis.crt"),
        key: folder.join("redis.key"),
    };
    fs::write(&pair.certificate, made.cert.pem()).unwrap();
    fs::write(&pair.key, made.signing_key.serialize_pem()).unwrap();
    pair
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn rediss_is_tls_with_the_roots_of_the_machine() {
    let (pair, port) = (pair(), free_port());
    let path = |path: &PathBuf| path.display().to_string();
    let _redis = RedisServer::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &path(&pair.certificate),
        "--tls-key-file",
        &path(&pair.key),
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let bank = Bank::bankly().start().await.unwrap();
    let settings = Settings::new(&bank, &format!("rediss://localhost:{port}"));
    let trusting = settings.with("SSL_CERT_FILE", &path(&pair.certificate));
    let mut fleet = trusting.with("FLEET_DOWN", "fail").fleet(3);
    // A handshake of an unoptimised build on a busy machine may take longer than the bound.
    while !all(&mut fleet, "token")
        .await
        .iter()
        .all(|it| it.starts_with("ok "))
    {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(bank.counters().token_requests, 1);
    let status = fleet[0].ask("status").await;
    assert!(status.contains(r#""bypassed":false"#), "{status}");
    // A server whose certificate is unknown gets nothing.
    let mut wary = settings.with("FLEET_DOWN", "fail").start();
    let answer = wary.ask("token").await;
    assert!(answer.contains("the shared store"), "{answer}");
    assert_eq!(bank.counters().token_requests, 1);
}
