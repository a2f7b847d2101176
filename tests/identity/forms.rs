//! The forms that a certificate and its key come in.

use std::error::Error;

use rustls::client::ResolvesClientCert;
use tower_oauth::{SecretRef, identity::Identity};

use crate::{
    fixtures::{
        CERTIFICATE, CHAIN, KEY, KEY_UNDER_3DES, KEY_UNDER_AES, PASSWORD, SERIAL, legacy, modern,
    },
    folder::Folder,
};

/// How many certificates it shows.
fn shown(identity: &Identity) -> usize {
    let resolver: std::sync::Arc<dyn ResolvesClientCert> = identity.resolver();
    let shown = resolver.resolve(&[], &[]).unwrap();
    shown.keys_match().unwrap();
    assert_eq!(identity.certificate().serial, SERIAL);
    shown.cert.len()
}

#[test]
fn pem_with_certificates_and_key_in_any_order() {
    let [issuer, root] = CHAIN;
    for (parts, certificates) in [
        (vec![CERTIFICATE, KEY], 1),
        (vec![KEY, CERTIFICATE, issuer], 2),
        (vec![root, issuer, CERTIFICATE, KEY], 3),
        (vec![issuer, CERTIFICATE, KEY, root], 3),
        // A root that issued nothing here does not belong to the chain.
        (vec![CERTIFICATE, root, KEY], 1),
    ] {
        let identity = Identity::pem(parts.concat()).build().unwrap();
        assert_eq!(shown(&identity), certificates, "{parts:?}");
    }
}

#[test]
fn pem_in_one_file_and_in_two() -> Result<(), Box<dyn Error>> {
    let folder = Folder::new();
    let one = folder.write("both.pem", [CERTIFICATE, KEY].concat());
    assert_eq!(shown(&Identity::pem_file(one).build()?), 1);
    folder.write("tls.crt", [CERTIFICATE, CHAIN[0]].concat());
    folder.write("tls.key", KEY);
    assert_eq!(shown(&folder.pair().build()?), 2);
    Ok(())
}

#[test]
fn a_key_under_a_password() {
    for key in [KEY_UNDER_AES, KEY_UNDER_3DES] {
        let identity = Identity::pem([CERTIFICATE, key].concat()).password(PASSWORD);
        assert_eq!(shown(&identity.build().unwrap()), 1);
    }
}

/// What openssl wrote around the sections of an export is no mistake.
#[test]
fn text_around_the_sections() {
    let text = format!("Bag Attributes\n    localKeyID: 01\nsubject=CN = me\n{CERTIFICATE}\n{KEY}");
    assert_eq!(shown(&Identity::pem(text).build().unwrap()), 1);
}

#[test]
fn pkcs12_with_the_old_ciphers_and_with_the_new() -> Result<(), Box<dyn Error>> {
    let folder = Folder::new();
    let secret = folder.write("password", format!("{PASSWORD}\n"));
    for archive in [legacy(), modern()] {
        let path = folder.write("company.pfx", &archive);
        assert_eq!(
            shown(&Identity::pkcs12(archive).password(PASSWORD).build()?),
            3
        );
        let file = Identity::pkcs12_file(path).password_from(SecretRef::File(secret.clone()));
        assert_eq!(shown(&file.build()?), 3);
    }
    Ok(())
}

/// `reqwest` takes another form than `rustls`.
#[test]
fn each_form_of_key_is_given_to_reqwest() {
    for identity in [
        Identity::pem([CERTIFICATE, KEY].concat()).build().unwrap(),
        Identity::pkcs12(modern())
            .password(PASSWORD)
            .build()
            .unwrap(),
    ] {
        let client = reqwest::Client::builder().identity(identity.reqwest_identity().unwrap());
        let none: [reqwest::Certificate; 0] = [];
        client.tls_certs_only(none).build().unwrap();
    }
}
