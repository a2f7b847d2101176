//! The four banks, by both clients, in the clear and by mTLS.

use std::{env, fs, path::PathBuf};

use serde_json::json;
use tower_oauth::testing::{Authority, Bank, BankBuilder, Identity, Tls};

use super::tool::{CLIENTS, Call};

pub(crate) const BANKS: [fn() -> BankBuilder; 4] = [
    Bank::anbima,
    Bank::avista,
    Bank::conta_simples,
    Bank::bankly,
];

/// PEM files for one client, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str, authority: &Authority, client: &Identity) -> Self {
        let folder = env::temp_dir().join(format!("tower-oauth-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("ca.pem"), authority.certificate_pem()).unwrap();
        fs::write(folder.join("client.pem"), client.certificate_pem()).unwrap();
        fs::write(folder.join("client.key"), client.key_pem()).unwrap();
        Self(folder)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn with_certificate(call: Call, folder: &Folder) -> Call {
    call.arg("--cacert", folder.file("ca.pem"))
        .arg("--cert", folder.file("client.pem"))
        .arg("--key", folder.file("client.key"))
}

#[tokio::test]
async fn every_bank_is_called_by_both_clients() {
    for open in BANKS {
        for client in CLIENTS {
            let bank = open().start().await.unwrap();
            let outcome = Call::of(&bank)
                .arg("--client", client)
                .arg("-n", "7")
                .run()
                .await;
            assert_eq!(
                outcome.code,
                0,
                "{} {client}: {}",
                bank.name(),
                outcome.stderr
            );
            let report = outcome.report();
            assert_eq!(report["status"], json!({ "200": 7 }));
            assert_eq!(report["token"]["attempts"], 1);
            assert_eq!(report["token"]["generation"], 1);
            assert!(report["token"]["expires_in_s"].as_f64().unwrap() > 1700.0);
            assert_eq!(
                (bank.counters().api_ok, bank.counters().token_requests),
                (7, 1)
            );
        }
    }
}

#[tokio::test]
async fn every_bank_is_called_by_both_clients_with_a_certificate() {
    let authority = Authority::new().unwrap();
    let folder = Folder::new("mtls", &authority, &authority.client("call").unwrap());
    for open in BANKS {
        for client in CLIENTS {
            let tls = Tls::new(&authority).unwrap();
            let bank = open().tls(tls).start().await.unwrap();
            let call = with_certificate(Call::of(&bank), &folder).arg("--client", client);
            let outcome = call.run().await;
            assert_eq!(
                outcome.code,
                0,
                "{} {client}: {}",
                bank.name(),
                outcome.stderr
            );
            assert_eq!(outcome.report()["status"], json!({ "200": 1 }));
        }
    }
}

#[tokio::test]
async fn bankly_takes_the_certificate_in_place_of_the_secret() {
    let authority = Authority::new().unwrap();
    let folder = Folder::new("bankly", &authority, &authority.client("call").unwrap());
    let tls = Tls::new(&authority).unwrap();
    let bank = Bank::bankly().tls(tls).start().await.unwrap();
    for client in CLIENTS {
        let call = Call::bare(&["--provider", "bankly", "--scope", "boleto.read"])
            .arg("--token-url", bank.mtls_token_url().unwrap())
            .arg("--origin", bank.api_origin())
            .arg("--client-id", bank.client_id())
            .arg("--client", client)
            .url(bank.api_url());
        let outcome = with_certificate(call, &folder).run().await;
        assert_eq!(outcome.code, 0, "{client}: {}", outcome.stderr);
        assert_eq!(outcome.report()["status"], json!({ "200": 1 }));
    }
    let counters = bank.counters();
    assert_eq!((counters.token_requests, counters.token_denials), (2, 0));
}

#[tokio::test]
async fn a_certificate_that_is_no_good_is_an_error_that_says_so() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let tls = Tls::new(&authority).unwrap();
    let bank = Bank::avista().tls(tls).start().await.unwrap();
    let stranger = foreign.client("call").unwrap();
    let folder = Folder::new("foreign", &authority, &stranger);
    for client in CLIENTS {
        let call = with_certificate(Call::of(&bank), &folder).arg("--client", client);
        let outcome = call.run().await;
        assert_eq!(outcome.code, 1, "{client}");
        assert_eq!(outcome.report()["errors"], json!({ "unavailable": 1 }));
        assert!(
            outcome.stderr.contains("UnknownCA"),
            "{client}: {}",
            outcome.stderr
        );
    }
}
