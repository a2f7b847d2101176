//! Each mistake is an error when the identity is built. It says what to do, and shows nothing of the key.

use std::time::{Duration, SystemTime};

use tower_oauth::{
    ConfigError, SecretRef,
    identity::{Identity, IdentityBuilder, roots_from_pem},
    testing::Authority,
};

use crate::{
    fixtures::{
        CERTIFICATE, KEY, KEY_IN_OLD_FORMAT, KEY_LINE, KEY_UNDER_AES, PASSWORD, legacy, modern,
        without_key,
    },
    folder::Folder,
    support::logs::Logs,
};

#[track_caller]
fn assert_says(error: &ConfigError, field: &str, says: &str) {
    assert_eq!(error.field(), field, "{error}");
    assert!(error.rule().contains(says), "{error}");
    let text = format!("{error} {error:?}");
    assert!(
        !text.contains(PASSWORD) && !text.contains("canary"),
        "{text}"
    );
    assert!(!text.contains(KEY_LINE), "{text}");
}

fn rejected(builder: IdentityBuilder) -> ConfigError {
    builder.build().unwrap_err()
}

#[test]
fn of_a_key() {
    let folder = Folder::new();
    let other = Authority::new().unwrap().client("other").unwrap();
    let half = &KEY[..KEY.len() / 2];
    let damaged = KEY.replacen(KEY_LINE, &KEY_LINE[4..], 1);
    for (key, says) in [
        (other.key_pem(), "does not belong to the certificate"),
        (KEY_UNDER_AES, "the key is encrypted: give its password"),
        (KEY_IN_OLD_FORMAT, "`openssl pkcs8 -topk8` writes it"),
        (half, "line 1: the section that begins here has no END line"),
        (
            CERTIFICATE,
            "a PRIVATE KEY is wanted, and this is a CERTIFICATE",
        ),
        (&damaged, "is damaged"),
        ("canary", "holds no PEM section"),
        ("", "the file is empty"),
    ] {
        let error = folder.rejected(CERTIFICATE, key);
        assert_says(&error, "key", says);
        assert!(error.to_string().contains("tls.key\""), "{error}");
    }
}

#[test]
fn of_a_certificate() {
    let folder = Folder::new();
    let half = &CERTIFICATE[..CERTIFICATE.len() / 2];
    let damaged = CERTIFICATE.replacen("MII", "AAA", 1);
    for (certificate, says) in [
        (half, "line 1: the section that begins here has no END line"),
        (&*damaged, "certificate 1 of the file is damaged"),
        (KEY, "a CERTIFICATE is wanted, and this is a EC PRIVATE KEY"),
        ("", "the file is empty"),
    ] {
        let error = folder.rejected(certificate, KEY);
        assert_says(&error, "certificate", says);
        assert!(error.to_string().contains("tls.crt\""), "{error}");
    }
}

#[test]
fn of_one_file_with_half_of_the_pair() {
    let error = rejected(Identity::pem(CERTIFICATE));
    assert_says(
        &error,
        "key",
        "if the key is in a file of its own, give that file too",
    );
    let error = rejected(Identity::pem(KEY));
    assert_says(&error, "certificate", "a CERTIFICATE is wanted");
}

#[test]
fn of_the_format() {
    let der = [0x30, 0x82, 0x01, 0x00, 0x30, 0xff, 0xff];
    assert_says(
        &rejected(Identity::pem(der)),
        "certificate",
        "(DER), and must be PEM",
    );
    assert_says(
        &rejected(Identity::pem(modern())),
        "certificate",
        "(PKCS #12), and must be PEM",
    );
    let wide: Vec<u8> = KEY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_says(
        &rejected(Identity::pem([&[0xff, 0xfe][..], &wide].concat())),
        "certificate",
        "UTF-16",
    );
    assert_says(
        &rejected(Identity::pkcs12(CERTIFICATE)),
        "pkcs12",
        "the file is PEM",
    );
    assert_says(
        &rejected(Identity::pkcs12(*b"canary")),
        "pkcs12",
        "is not PKCS #12",
    );
    assert_says(&rejected(Identity::pkcs12(*b"")), "pkcs12", "is empty");
}

#[test]
fn of_an_archive() {
    for archive in [legacy(), modern()] {
        let half = archive[..archive.len() / 2].to_vec();
        let error = rejected(Identity::pkcs12(half).password(PASSWORD));
        assert_says(&error, "pkcs12", "is cut short");
        let error = rejected(Identity::pkcs12(archive.clone()));
        assert_says(
            &error,
            "password",
            "must be given: the archive is encrypted",
        );
        let error = rejected(Identity::pkcs12(archive).password("another"));
        assert_says(&error, "password", "does not open the archive");
    }
    let error = rejected(Identity::pkcs12(without_key()).password(PASSWORD));
    assert_says(&error, "pkcs12", "holds no private key");
}

#[test]
fn of_a_password() {
    let text = [CERTIFICATE, KEY_UNDER_AES].concat();
    let error = rejected(Identity::pem(text.clone()).password("another"));
    assert_says(&error, "password", "does not open the key");
    let variable = SecretRef::Env("TOWER_OAUTH_TEST_UNSET".into());
    let error = rejected(Identity::pem(text).password_from(variable));
    assert_says(&error, "env TOWER_OAUTH_TEST_UNSET", "is not set");
}

#[test]
fn of_a_file_that_cannot_be_read() {
    let folder = Folder::new();
    let error = rejected(folder.pair());
    assert_says(&error, "certificate", "cannot be read: entity not found");
    folder.write("tls.crt", CERTIFICATE);
    std::fs::create_dir(folder.path("tls.key")).unwrap();
    assert_says(
        &rejected(folder.pair()),
        "key",
        "cannot be read: is a directory",
    );
    let archive = Identity::pkcs12_file(folder.path("none.pfx"));
    assert_says(&rejected(archive), "pkcs12", "cannot be read");
}

#[test]
fn of_time() {
    let day = Duration::from_secs(24 * 60 * 60);
    // A test's certificates are for another time than today.
    let noon = SystemTime::UNIX_EPOCH + 20_000 * day + day / 2;
    let authority = Authority::new().unwrap();
    let builder = authority.client_certificate("me").serial(7);
    let expired = builder.valid(noon - 9 * day, noon).issue().unwrap();
    let folder = Folder::new();
    let error = folder.rejected(expired.certificate_pem(), expired.key_pem());
    assert_says(
        &error,
        "certificate",
        "has expired on 2024-10-04T12:00:00Z; ask the authority",
    );
}

#[test]
fn of_an_interval() {
    let identity = Identity::pem([CERTIFICATE, KEY].concat());
    let error = rejected(identity.poll_interval(Duration::ZERO));
    assert_eq!(
        error.to_string(),
        "invalid `poll_interval` 0ns: must be at least 1 ms"
    );
}

#[test]
fn of_authorities() {
    for (text, says) in [
        (KEY, "a CERTIFICATE is wanted"),
        ("", "empty"),
        (
            &*CERTIFICATE.replacen("MII", "AAA", 1),
            "certificate 1 of the file is damaged",
        ),
    ] {
        let error = roots_from_pem(text.as_bytes()).unwrap_err();
        assert_says(&error, "roots", says);
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_all_may_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.write("tls.crt", CERTIFICATE);
    let key = folder.write("tls.key", KEY);
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
        let (logs, _listening) = Logs::listen();
        folder.pair().build().unwrap();
        let said = logs.with("can read the client certificate's key");
        assert_eq!(said.len(), warnings, "{mode:o}: {said:?}");
    }
}
