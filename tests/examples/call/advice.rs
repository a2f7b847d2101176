//! What is advised, for everything that goes wrong: in terms of the options that were given, and of nothing else.

use std::{env, fs, net::SocketAddr, sync::Arc};

use http::StatusCode;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tower_oauth::testing::{Authority, Bank, Fault, Identity, Tls};

use super::{
    banks::{Folder, with_certificate},
    tool::{CLIENTS, Call, Outcome},
};

const FILE: &str = "my-bank.toml";

/// Avista, called by a dialect's file.
async fn by_dialect(bank: &Bank, fault: Fault) -> Outcome {
    bank.token_fault_always(fault);
    by_file(bank, "").await
}

/// Avista, called by a dialect's file with further lines.
async fn by_file(bank: &Bank, lines: &str) -> Outcome {
    let folder = env::temp_dir().join(format!(
        "tower-oauth-{}",
        bank.api_origin().replace([':', '/'], "-")
    ));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(FILE);
    let text = "credentials = { body = { id = \"clientId\", secret = \"clientSecret\" } }\nbody = \"json\"\ngrant = \"absent\"";
    let text = format!(
        "name = \"my-bank\"\ntoken_url = \"{}\"\n{text}\n{lines}",
        bank.token_url()
    );
    fs::write(&file, text).unwrap();
    let call = Call::bare(&["--client-id", bank.client_id()]);
    let call = call.arg("--dialect", file.display().to_string());
    let outcome = call
        .secret(bank.client_secret())
        .url(bank.api_url())
        .run()
        .await;
    fs::remove_dir_all(folder).unwrap();
    outcome
}

#[track_caller]
fn assert_says(outcome: &Outcome, says: &[&str], not: &[&str]) {
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    let (_, advice) = outcome.stderr.split_once("\n      ").unwrap();
    for word in says {
        assert!(advice.contains(word), "{word}: {advice}");
    }
    for word in not {
        assert!(!advice.contains(word), "{word}: {advice}");
    }
}

const KNOBS: [&str; 8] = [
    FILE,
    "`credentials` (basic_encoded, basic_raw or body)",
    "`body`",
    "`grant`",
    "`scope`",
    "`token_params` and `token_headers`",
    "--scope",
    "--verbose",
];

fn denials() -> Vec<(Fault, Vec<&'static str>, Vec<&'static str>)> {
    let denial = |status, code| Fault::oauth_error(StatusCode::from_u16(status).unwrap(), code);
    let status = |status| Fault::status(StatusCode::from_u16(status).unwrap());
    let wait = Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "120");
    let credentials = ["--client-id", "OAUTH_CLIENT_SECRET"];
    let no_credentials = credentials.to_vec();
    vec![
        (
            denial(401, "invalid_client"),
            credentials.to_vec(),
            vec!["--scope", "token_url"],
        ),
        (
            denial(400, "invalid_scope"),
            vec!["--scope"],
            no_credentials.clone(),
        ),
        (
            denial(400, "unauthorized_client"),
            vec!["ask the provider"],
            no_credentials.clone(),
        ),
        (
            wait,
            vec!["Too many requests", "may be asked again at 20"],
            no_credentials.clone(),
        ),
        (status(404), vec!["--token-url"], no_credentials.clone()),
        (status(405), vec!["--token-url"], no_credentials.clone()),
        (
            status(503),
            vec!["out of order"],
            vec!["--cert", "--client-id", "network"],
        ),
        (
            denial(400, "temporarily_unavailable"),
            vec!["Try again later"],
            no_credentials,
        ),
        (
            denial(400, "invalid_request"),
            vec!["--verbose"],
            vec!["Too many"],
        ),
        (status(400), vec!["too many requests", "--verbose"], vec![]),
        (status(403), vec!["too many requests", "--verbose"], vec![]),
        (
            denial(400, "x_bank_77"),
            vec!["documentation", "--verbose"],
            vec![],
        ),
        (
            Fault::html(),
            vec!["--token-url", "--verbose"],
            vec!["--client-id"],
        ),
    ]
}

#[tokio::test]
async fn a_dialects_user_is_sent_to_the_dialects_keys() {
    for (fault, says, mut not) in denials() {
        not.push("--env");
        let bank = Bank::avista().start().await.unwrap();
        assert_says(&by_dialect(&bank, fault).await, &says, &not);
    }
    for (fault, says) in [
        (Fault::status(StatusCode::BAD_REQUEST), &KNOBS[..]),
        (
            Fault::oauth_error(StatusCode::BAD_REQUEST, "invalid_request"),
            &KNOBS,
        ),
        (
            Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client"),
            &["`credentials` in /", FILE, "basic_raw"],
        ),
        (
            Fault::oauth_error(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            &["`grant` and `body` in /"],
        ),
        (Fault::status(StatusCode::NOT_FOUND), &["`token_url` in /"]),
        (
            Fault::status(StatusCode::UNAUTHORIZED),
            &["`response.error` and `response.error_description` in /"],
        ),
        (Fault::Without("access_token".into()), &["`response` in /"]),
    ] {
        let bank = Bank::avista().start().await.unwrap();
        assert_says(&by_dialect(&bank, fault).await, says, &["--env"]);
    }
}

#[tokio::test]
async fn a_lifetime_that_is_not_understood_is_spoken_of_although_the_call_succeeds() {
    for (expiry, says) in [
        ("validUntil", "field: validUntil; set: `response.expiry`"),
        (
            "token_type",
            "field: token_type; shape: a text of 6 characters",
        ),
    ] {
        let bank = Bank::avista().start().await.unwrap();
        let outcome = by_file(&bank, &format!("response = {{ expiry = \"{expiry}\" }}")).await;
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        let warning = outcome.stderr.lines().next().unwrap();
        assert!(warning.starts_with("call: warning: my-bank: "), "{warning}");
        assert!(warning.contains(says), "{warning}");
    }
}

#[tokio::test]
async fn a_setting_that_cannot_work_is_sent_to_the_file() {
    let bank = Bank::avista().start().await.unwrap();
    let outcome = by_file(&bank, "headers = { x-token = \"token\" }").await;
    outcome.assert_usage_error("invalid `headers`: must hold `{token}` somewhere (here: /");
    let outcome = by_file(&bank, "origins = [\"https://api.example\"]").await;
    outcome.assert_usage_error("here: `origins` in /");
}

#[tokio::test]
async fn a_providers_user_is_sent_to_the_options() {
    for (fault, says, mut not) in denials() {
        not.extend(["dialect", "`credentials`", ".toml"]);
        let bank = Bank::anbima().start().await.unwrap();
        bank.token_fault_always(fault);
        assert_says(&Call::of(&bank).run().await, &says, &not);
    }
    for (bank, env) in [
        (Bank::anbima(), "--env sandbox"),
        (Bank::avista(), "--env production"),
    ] {
        let bank = bank.start().await.unwrap();
        let outcome = Call::of(&bank).secret("a-wrong-secret").run().await;
        assert_says(&outcome, &[env], &[]);
    }
}

#[tokio::test]
async fn an_unreachable_host_is_the_network_or_the_address() {
    // Bound and not listening, so that no other socket gets the port.
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let origin = format!("http://{}", held.local_addr().unwrap());
    for client in CLIENTS {
        let call = Call::bare(&["--provider", "avista", "--client-id", "me"])
            .arg("--token-url", format!("{origin}/token"))
            .arg("--origin", origin.clone())
            .arg("--client", client);
        let outcome = call
            .secret("a-long-secret")
            .url(format!("{origin}/cob"))
            .run()
            .await;
        let says = ["the network", "host and port", "--token-url"];
        assert_says(&outcome, &says, &["--cert", "--client-id"]);
    }
}

#[tokio::test]
async fn a_rejected_token_that_is_sent_on_is_spoken_of() {
    let bank = Bank::avista().start().await.unwrap();
    bank.api_fault_always(Fault::status(StatusCode::UNAUTHORIZED));
    let outcome = Call::of(&bank).run().await;
    assert!(
        outcome.stderr.contains("does not take the token"),
        "{}",
        outcome.stderr
    );
    assert!(
        !outcome.stderr.contains("goes on being sent"),
        "{}",
        outcome.stderr
    );

    let good = Fault::Delay(std::time::Duration::ZERO);
    let denied = Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
    bank.token_faults([good, denied]);
    let outcome = Call::of(&bank).run().await;
    let says = "a rejected token goes on being sent while no new one can be fetched";
    assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
}

/// The words once, the option once.
#[track_caller]
fn assert_speaks_once_of(outcome: &Outcome, words: &str, option: &str) {
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    for text in [words, option] {
        let times = outcome.stderr.matches(text).count();
        assert_eq!(times, 1, "{text}: {}", outcome.stderr);
    }
    assert!(
        !outcome.stderr.contains("close_notify"),
        "{}",
        outcome.stderr
    );
}

fn self_signed() -> Identity {
    Authority::new().unwrap().client("call").unwrap()
}

#[tokio::test]
async fn a_client_certificate_that_the_server_rejects() {
    let authority = Authority::new().unwrap();
    let tls = Tls::new(&authority).unwrap();
    let bank = Bank::avista().tls(tls).start().await.unwrap();
    let folder = Folder::new("self-signed", &authority, &self_signed());
    for client in CLIENTS {
        let call = with_certificate(Call::of(&bank), &folder);
        let outcome = call.arg("--client", client).run().await;
        let words = "the token endpoint rejected the client certificate";
        assert_speaks_once_of(&outcome, words, "--cert");
    }
    for client in CLIENTS {
        let call = Call::of(&bank).arg("--cacert", folder.file("ca.pem"));
        let outcome = call.arg("--client", client).run().await;
        let words = "the token endpoint demands a client certificate";
        assert_speaks_once_of(&outcome, words, "--cert");
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted() {
    let (authority, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let tls = Tls::new(&foreign).unwrap();
    let bank = Bank::avista().tls(tls).start().await.unwrap();
    let folder = Folder::new("untrusted", &authority, &self_signed());
    for client in CLIENTS {
        let call = with_certificate(Call::of(&bank), &folder);
        let outcome = call.arg("--client", client).run().await;
        let says = ["server's certificate is not trusted", "--cacert"];
        assert_says(&outcome, &says, &["--cert,", "--cert:"]);
    }
}

/// Lets everyone finish the handshake, and hangs up without a word, as some servers do over a certificate.
async fn hangs_up(authority: &Authority) -> SocketAddr {
    let identity = authority.loopback_server().unwrap();
    let certificate = CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes());
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.unwrap()], key.unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            // Read, so that the connection is not reset.
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
            let (stream, _) = stream.into_inner();
            drop(stream);
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_closes_the_connection_over_a_certificate() {
    let authority = Authority::new().unwrap();
    let folder = Folder::new("hangs-up", &authority, &self_signed());
    let origin = format!("https://{}", hangs_up(&authority).await);
    for client in CLIENTS {
        let call = Call::bare(&["--provider", "avista", "--client-id", "me"])
            .arg("--token-url", format!("{origin}/token"))
            .arg("--origin", origin.clone())
            .arg("--client", client)
            .arg("--cacert", folder.file("ca.pem"))
            .secret("a-long-secret")
            .url(format!("{origin}/cob"));
        let words = "the server ended the TLS connection without a word";
        assert_speaks_once_of(&call.clone().run().await, words, "--cert ");
        let call = call.arg("--cert", folder.file("client.pem"));
        let call = call.arg("--key", folder.file("client.key"));
        let outcome = call.run().await;
        assert_speaks_once_of(&outcome, words, "--cert");
        assert!(
            outcome.stderr.contains("may have rejected"),
            "{}",
            outcome.stderr
        );
    }
}

#[tokio::test]
async fn with_a_certificate_as_the_credential_no_advice_names_a_secret() {
    let authority = Authority::new().unwrap();
    let folder = Folder::new("credential", &authority, &authority.client("call").unwrap());
    let tls = Tls::new(&authority).unwrap();
    let bank = Bank::bankly().tls(tls).start().await.unwrap();
    let call = Call::bare(&["--provider", "bankly", "--scope", "boleto.read"])
        .arg("--token-url", bank.mtls_token_url().unwrap())
        .arg("--origin", bank.api_origin())
        .arg("--client-id", "somebody-else")
        .url(bank.api_url());
    let outcome = with_certificate(call, &folder).run().await;
    assert_says(
        &outcome,
        &["--client-id", "--cert"],
        &["OAUTH_CLIENT_SECRET", "secret"],
    );
}
