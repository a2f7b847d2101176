//! `--cert`: PEM in one file or two, PKCS #12, and what is said of each mistake.

use std::fs;

use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey,
    PrivateKeyChain,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tower_oauth::{
    SigningAlgorithm,
    testing::{Assertions, Authority, Bank, ClientKey, Identity, Tls},
};

use super::{
    banks::Folder,
    tool::{CLIENTS, Call},
};

const PASSWORD: &str = "canary-password";

/// The archive that an authority would hand out.
fn archive(identity: &Identity, cipher: EncryptionAlgorithm, mac: MacAlgorithm) -> Vec<u8> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes());
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes()).unwrap();
    let chain = PrivateKeyChain::new(
        "1",
        PrivateKey::from_der(key.secret_der()).unwrap(),
        [Certificate::from_der(&certificate.unwrap()).unwrap()],
    );
    let mut store = KeyStore::new();
    store.add_entry("company", KeyStoreEntry::PrivateKeyChain(chain));
    let writer = store.writer(PASSWORD).encryption_algorithm(cipher);
    writer.mac_algorithm(mac).write().unwrap()
}

fn modern(identity: &Identity) -> Vec<u8> {
    let cipher = EncryptionAlgorithm::PbeWithHmacSha256AndAes256;
    archive(identity, cipher, MacAlgorithm::HmacSha256)
}

fn legacy(identity: &Identity) -> Vec<u8> {
    let cipher = EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc;
    archive(identity, cipher, MacAlgorithm::HmacSha1)
}

#[tokio::test]
async fn an_archive_and_one_file_of_pem_are_shown_by_both_clients() {
    let authority = Authority::new().unwrap();
    let identity = authority.client("call").unwrap();
    let folder = Folder::new("archives", &authority, &identity);
    fs::write(folder.file("old.p12"), legacy(&identity)).unwrap();
    fs::write(folder.file("new.PFX"), modern(&identity)).unwrap();
    let both = [identity.certificate_pem(), identity.key_pem()].concat();
    fs::write(folder.file("both.pem"), both).unwrap();
    for client in CLIENTS {
        for file in ["old.p12", "new.PFX", "both.pem"] {
            let tls = Tls::new(&authority).unwrap();
            let bank = Bank::avista().tls(tls).start().await.unwrap();
            let call = Call::of(&bank).cert_password(PASSWORD);
            let call = call.arg("--cacert", folder.file("ca.pem"));
            let call = call.arg("--cert", folder.file(file));
            let outcome = call.arg("--client", client).run().await;
            assert_eq!(outcome.code, 0, "{client} {file}: {}", outcome.stderr);
            assert_eq!(
                bank.certificate_use(&identity).requests,
                2,
                "{client} {file}"
            );
        }
    }
}

/// As at Open Finance: one key is shown in the handshake, and another signs.
#[tokio::test]
async fn a_key_that_signs_is_not_taken_for_the_certificates() {
    let authority = Authority::new().unwrap();
    let identity = authority.client("call").unwrap();
    let folder = Folder::new("signing", &authority, &identity);
    let key = ClientKey::generate(SigningAlgorithm::Ps256);
    fs::write(folder.file("signing.pem"), key.pem()).unwrap();
    fs::write(folder.file("company.p12"), modern(&identity)).unwrap();
    let both = [identity.certificate_pem(), identity.key_pem()].concat();
    fs::write(folder.file("both.pem"), both).unwrap();
    for file in ["company.p12", "both.pem"] {
        let tls = Tls::new(&authority).unwrap();
        let bank = Bank::bankly().assertions(Assertions::client(&key)).tls(tls);
        let bank = bank.start().await.unwrap();
        let call = Call::of(&bank).without_secret().cert_password(PASSWORD);
        let call = call.arg("--cacert", folder.file("ca.pem"));
        let call = call.arg("--cert", folder.file(file));
        let call = call.arg("--key", folder.file("signing.pem"));
        let outcome = call.arg("--alg", "PS256").run().await;
        assert_eq!(outcome.code, 0, "{file}: {}", outcome.stderr);
        assert_eq!(bank.certificate_use(&identity).requests, 2, "{file}");
    }
}

#[tokio::test]
async fn each_mistake_says_what_to_do() {
    let authority = Authority::new().unwrap();
    let identity = authority.client("call").unwrap();
    let expired = authority.backdated().client("call").unwrap();
    let folder = Folder::new("mistakes", &authority, &identity);
    let good = modern(&identity);
    let mut der = vec![0x30, 0x82, 0x00, 0x10, 0x30, 0xff];
    der.resize(20, 0xff);
    let cut = &good[..good.len() / 2];
    for (file, content, password, says) in [
        (
            "a.p12",
            &*good,
            None,
            "the variable OAUTH_CERT_PASSWORD: must be given: the archive is encrypted",
        ),
        (
            "b.p12",
            &*good,
            Some("canary-other"),
            "the variable OAUTH_CERT_PASSWORD: does not open the archive",
        ),
        ("c.p12", cut, Some(PASSWORD), "the file is cut short"),
        (
            "d.p12",
            identity.certificate_pem().as_bytes(),
            None,
            "the file is PEM, and must be PKCS #12 here (a file whose name ends in .p12 or .pfx",
        ),
        (
            "e.p12",
            &*modern(&expired),
            Some(PASSWORD),
            "the certificate has expired on 2000-12-31",
        ),
        (
            "f.pem",
            identity.certificate_pem().as_bytes(),
            None,
            "if the key is in a file of its own, give that file too",
        ),
        (
            "g.pem",
            &*good,
            Some(PASSWORD),
            "the file is binary (PKCS #12), and must be PEM here (a file whose name ends in .p12",
        ),
        (
            "h.der",
            &*der,
            None,
            "the file is binary (DER), and must be PEM",
        ),
    ] {
        fs::write(folder.file(file), content).unwrap();
        let call = Call::bare(&["--provider", "avista", "--client-id", "me"]);
        let call = call.secret("canary-secret").url("https://127.0.0.1:9/");
        let call = call.arg("--cert", folder.file(file));
        let call = match password {
            Some(password) => call.cert_password(password),
            None => call,
        };
        let outcome = call.run().await;
        outcome.assert_usage_error(says);
        let is_password = says.starts_with("the variable");
        let named = format!("--cert {}", folder.file(file));
        assert!(
            is_password || outcome.stderr.contains(&named),
            "{}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_a_warning() {
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let authority = Authority::new().unwrap();
    let now = tower_oauth::Clock::system().wall();
    let builder = authority.client_certificate("call").serial(0xbeef);
    let identity = builder.valid(now - day, now + 10 * day).issue().unwrap();
    let folder = Folder::new("soon", &authority, &identity);
    let tls = Tls::new(&authority).unwrap();
    let bank = Bank::avista().tls(tls).start().await.unwrap();
    let outcome = super::banks::with_certificate(Call::of(&bank), &folder)
        .run()
        .await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let says = "call: warning: the client certificate expires soon; serial: BEEF; not_after: ";
    assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
}
