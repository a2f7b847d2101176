//! `--key` and `--alg`: a signed assertion in place of a secret.

use std::{env, fs, path::PathBuf};

use tower_oauth::{
    SigningAlgorithm,
    testing::{Assertions, Bank, ClientKey},
};

use super::tool::{CLIENTS, Call};

/// A file with this text, removed at the end.
pub(super) struct File(PathBuf);

impl File {
    pub(super) fn new(name: &str, text: &str) -> Self {
        let name = format!("tower-oauth-{}-signing-{name}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_key_signs_in_place_of_the_secret() {
    for algorithm in [
        SigningAlgorithm::Ps256,
        SigningAlgorithm::Rs256,
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
    ] {
        let key = ClientKey::generate(algorithm);
        let file = File::new(algorithm.as_str(), key.pem());
        for client in CLIENTS {
            let rules = Assertions::client(&key)
                .kid("k-1")
                .audience("https://realm.example")
                .claim("realm", "stone_bank");
            let bank = Bank::bankly().assertions(rules).start().await.unwrap();
            let outcome = Call::of(&bank)
                .without_secret()
                .arg("--client", client)
                .arg("--key", file.path())
                .arg("--alg", algorithm.as_str())
                .arg("--kid", "k-1")
                .arg("--audience", "https://realm.example")
                .arg("--claim", "realm=stone_bank")
                .run()
                .await;
            assert_eq!(outcome.code, 0, "{algorithm}: {}", outcome.stderr);
        }
    }
}

#[tokio::test]
async fn each_mistake_says_what_to_do() {
    let key = ClientKey::generate(SigningAlgorithm::Es256);
    let good = File::new("good", key.pem());
    let encrypted = key.pem().replace("PRIVATE", "ENCRYPTED PRIVATE");
    let encrypted = File::new("encrypted", &encrypted);
    let old = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
    let old = key
        .pem()
        .replace("PRIVATE KEY-----\nM", &format!("PRIVATE KEY-----\n{old}M"));
    let old = File::new("old-encrypted", &old.replace("PRIVATE", "RSA PRIVATE"));
    let certificate = key.pem().replace("PRIVATE KEY", "CERTIFICATE");
    let certificate = File::new("certificate", &certificate);
    let bank = Bank::bankly().start().await.unwrap();
    let call = Call::of(&bank).without_secret();
    let with = |file: &File, alg: &str| call.clone().arg("--key", file.path()).arg("--alg", alg);
    for (call, says) in [
        (call.clone().arg("--alg", "ES256"), "--key"),
        (call.clone().arg("--key", good.path()), "--alg"),
        (call.clone().arg("--key", good.path()), "--cert"),
        (call.clone().arg("--kid", "k-1"), "--alg"),
        (
            with(&good, "ES256").arg("--secret-file", good.path()),
            "--secret-file",
        ),
        (with(&good, "HS256"), "must be one of PS256"),
        (with(&good, "PS256"), "which signs with ES256"),
        (
            with(&encrypted, "ES256"),
            "is encrypted, and cannot be read without its passphrase",
        ),
        (with(&encrypted, "ES256"), "openssl pkcs8 -topk8 -nocrypt"),
        (with(&old, "PS256"), "openssl pkcs8 -topk8 -nocrypt"),
        (
            with(&certificate, "ES256"),
            "give the PRIVATE KEY that belongs to it",
        ),
        (with(&good, "ES256").arg("--claim", "realm"), "NAME=VALUE"),
        (
            with(&good, "ES256").arg("--claim", "iss=x"),
            "is set by `issuer` (here: --claim)",
        ),
        (
            with(&good, "ES256").arg("--kid", ""),
            "must not be empty (here: --kid)",
        ),
        (
            with(&good, "ES256").arg("--audience", ""),
            "must not be empty (here: --audience)",
        ),
        (
            call.clone()
                .arg("--key", "no-such.key")
                .arg("--alg", "ES256"),
            "--key no-such.key: the file cannot be read",
        ),
    ] {
        call.run().await.assert_usage_error(says);
    }
    assert_eq!(bank.counters().token_requests, 0);
}
