//! Mistakes that are found before anything is sent: exit status 2, and nothing on standard output.

use tower_oauth::testing::Bank;

use super::tool::{CLIENTS, Call};

const URL: &str = "http://127.0.0.1:9/";
const CONTA_SIMPLES: [&str; 4] = ["--provider", "conta-simples", "--client-id", "me"];

#[tokio::test]
async fn a_command_line_that_cannot_work() {
    let good = Call::bare(&CONTA_SIMPLES)
        .secret("a-long-enough-secret")
        .url(URL);
    let bankly = Call::bare(&["--provider", "bankly", "--client-id", "me"]).url(URL);
    let avista = Call::bare(&["--provider", "avista", "--client-id", "me"]).url(URL);
    for (call, says) in [
        (Call::bare(&[]), "--provider"),
        (
            Call::bare(&["--provider", "sicob", "--client-id", "me", URL]),
            "did you mean `sicoob`? Known: ailos-pix, anbima",
        ),
        (
            good.clone().arg("--env", "sandbx"),
            "did you mean `sandbox`? Known: production, sandbox",
        ),
        (Call::bare(&["--client-id", "me", URL]), "--dialect"),
        (good.clone().flag("--nonsense"), "--nonsense"),
        (good.clone().arg("-n", "0"), "0 is not in"),
        (good.clone().arg("--rate", "0"), "above zero"),
        (good.clone().arg("--timeout", "0"), "above zero"),
        (good.clone().arg("--header", "no-colon"), "NAME:VALUE"),
        (good.clone().arg("--key", "client.key"), "--cert"),
        (
            good.clone()
                .flag("--no-retry")
                .flag("--danger-retry-any-method"),
            "cannot be used with",
        ),
        (
            good.clone().arg("--origin", "https://a.example/path"),
            "no path",
        ),
        (
            good.clone().arg("--token-url", "http://login.example/"),
            "must be https or loopback",
        ),
        (good.clone().without_secret(), "OAUTH_CLIENT_SECRET"),
        (
            good.clone().arg("--cacert", "no-such-file.pem"),
            "no-such-file.pem",
        ),
        (bankly.clone().secret("shh"), "invalid `scopes`"),
        (avista.clone().secret("short"), "8 to 64 characters"),
        (
            avista.secret("long enough").arg("--env", "sandbox"),
            "there is no such environment; Known: production",
        ),
        (
            bankly
                .arg("--env", "production")
                .arg("--cert", "c.pem")
                .arg("--key", "k.pem"),
            "--token-url",
        ),
        (
            Call::bare(&["--client-id", "me", "--dialect", "no-such-file.toml", URL]),
            "no-such-file.toml",
        ),
    ] {
        call.run().await.assert_usage_error(says);
    }
}

#[tokio::test]
async fn an_address_that_the_token_may_not_be_sent_to() {
    let bank = Bank::avista().start().await.unwrap();
    let foreign = Bank::avista().start().await.unwrap();
    for client in CLIENTS {
        for url in [
            foreign.api_url(),
            "/relative".into(),
            "ftp://127.0.0.1/".into(),
        ] {
            let call = Call::at(&bank).arg("--client", client).url(url);
            call.run().await.assert_usage_error("Nothing was sent");
        }
        let call = Call::at(&bank)
            .arg("--client", client)
            .url(foreign.api_url());
        call.run()
            .await
            .assert_usage_error(&format!("--origin {}", foreign.api_origin()));
    }
    assert_eq!(bank.counters().token_requests, 0);
    assert_eq!(foreign.counters().api_requests, 0);
}

#[tokio::test]
async fn an_origin_replaces_the_providers_own() {
    let bank = Bank::avista().start().await.unwrap();
    let call = Call::at(&bank).url("https://api.avista.global/cob");
    call.run()
        .await
        .assert_usage_error("not among the source's origins");
    let second = Call::of(&bank).arg("--origin", "https://api.avista.global");
    assert_eq!(second.run().await.code, 0);
}
