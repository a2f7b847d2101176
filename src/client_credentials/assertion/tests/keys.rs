//! A key in each form, and what is said of one that cannot be used.

use std::{fs, process};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{EC, ED25519, RSA, fits};
use crate::{ConfigError, SigningAlgorithm, client_credentials::SigningKey, testing::ClientKey};

const ALGORITHMS: [SigningAlgorithm; 9] = [
    SigningAlgorithm::Ps256,
    SigningAlgorithm::Ps384,
    SigningAlgorithm::Ps512,
    SigningAlgorithm::Rs256,
    SigningAlgorithm::Rs384,
    SigningAlgorithm::Rs512,
    SigningAlgorithm::Es256,
    SigningAlgorithm::Es384,
    SigningAlgorithm::EdDsa,
];

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.contains("-----"));
    BASE64_STANDARD.decode(lines.collect::<String>()).unwrap()
}

/// The octet string at the end of a PKCS #8 key: the key in its own form.
fn inner(pkcs8: &[u8]) -> &[u8] {
    let at = pkcs8.windows(2).position(|it| it == [0x04, 0x82]).unwrap();
    &pkcs8[at + 4..]
}

#[test]
fn each_algorithm_signs_with_a_key_in_pkcs_8() {
    for algorithm in ALGORITHMS {
        let pair = ClientKey::generate(algorithm);
        let key = SigningKey::from_pem(pair.pem()).unwrap();
        assert!(key.check(algorithm).is_ok(), "{algorithm}");
        assert!(fits(&key, &pair), "{algorithm}");
        // As an editor on Windows leaves it, with a text before it.
        let windows = format!("\u{feff}a comment\r\n{}", pair.pem().replace('\n', "\r\n"));
        assert!(
            fits(&SigningKey::from_pem(windows).unwrap(), &pair),
            "{algorithm}"
        );
    }
}

#[test]
fn a_key_in_pkcs_1_or_sec_1() {
    let pair = ClientKey::generate(SigningAlgorithm::Ps256);
    let pkcs1 = pem("RSA PRIVATE KEY", inner(&der(pair.pem())));
    assert!(fits(&SigningKey::from_pem(pkcs1).unwrap(), &pair));

    let pair = ClientKey::generate(SigningAlgorithm::Es256);
    let own = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der(pair.pem())).unwrap();
    let sec1: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> =
        aws_lc_rs::encoding::AsDer::as_der(&own.private_key()).unwrap();
    // `openssl ecparam -genkey` writes the name of the curve before it.
    let parameters = pem(
        "EC PARAMETERS",
        &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    );
    let both = parameters + &pem("EC PRIVATE KEY", sec1.as_ref());
    assert!(fits(&SigningKey::from_pem(both).unwrap(), &pair));
}

#[test]
fn a_jwk_brings_its_kid_and_its_algorithm() {
    for (jwk, fit, other) in [
        (RSA, SigningAlgorithm::Ps256, SigningAlgorithm::Es256),
        (EC, SigningAlgorithm::Es256, SigningAlgorithm::Es384),
        (ED25519, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256),
    ] {
        let named = jwk.replacen('{', r#"{"kid":"k-1","key_ops":["sign"],"use":"sig","#, 1);
        let key = SigningKey::from_jwk(&named).unwrap();
        assert_eq!(key.kid(), Some("k-1"));
        assert!(key.check(fit).is_ok());
        let error = key.check(other).unwrap_err().to_string();
        assert!(
            error.contains("give the key that is registered for it"),
            "{error}"
        );
        assert_eq!(key.with_kid("k-2").kid(), Some("k-2"));
    }
    let of_rs256 = RSA.replacen('{', r#"{"alg":"RS256","#, 1);
    let error = SigningKey::from_jwk(of_rs256)
        .unwrap()
        .check(SigningAlgorithm::Ps256);
    assert_eq!(
        error.unwrap_err().to_string(),
        "invalid `signing_key`: is a JWK for RS256, and `assertion.algorithm` is PS256; change one of the two"
    );
}

/// The rule that a PEM breaks.
fn rule(pem: impl AsRef<[u8]>) -> String {
    said(SigningKey::from_pem(pem).unwrap_err())
}

fn jwk_rule(jwk: &str) -> String {
    said(SigningKey::from_jwk(jwk).unwrap_err())
}

fn said(error: ConfigError) -> String {
    assert_eq!(error.field(), "signing_key");
    error.rule().to_owned()
}

#[test]
fn what_is_no_key_in_pem_says_what_to_do() {
    let good = ClientKey::generate(SigningAlgorithm::Es256);
    let good = good.pem();
    let labelled = |label: &str| good.replace("PRIVATE KEY", label);
    let base64 = good.lines().nth(1).unwrap();
    let begin =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
    for (text, says) in [
        (String::new(), "is empty"),
        (" \n".into(), "is empty"),
        (base64.into(), "has no PEM section"),
        (
            good.trim_end().replace('\n', "\\n"),
            "line breaks as the two characters",
        ),
        (
            good.trim_end().replace('\n', " "),
            "more than the BEGIN line",
        ),
        (good[..good.len() / 2].into(), "is cut short"),
        (
            good.replace("END PRIVATE", "END EC PRIVATE"),
            "is cut short",
        ),
        (good.replacen(base64, &base64[3..], 1), "is damaged"),
        (
            good.replacen(base64, &format!("!{}", &base64[1..]), 1),
            "is damaged",
        ),
        (
            labelled("PUBLIC KEY"),
            "is a PUBLIC KEY, which cannot sign; give the PRIVATE KEY",
        ),
        (
            labelled("CERTIFICATE"),
            "is a CERTIFICATE, which cannot sign; give the PRIVATE KEY",
        ),
        (
            labelled("EC PARAMETERS"),
            "has EC PARAMETERS and no private key",
        ),
        (labelled("CANARY"), "a section of another kind"),
        (
            labelled("ENCRYPTED PRIVATE KEY"),
            "`openssl pkcs8 -topk8 -nocrypt -in key.pem",
        ),
        (
            format!("{begin}AAAA\n-----END RSA PRIVATE KEY-----"),
            "is encrypted",
        ),
        (labelled("OPENSSH PRIVATE KEY"), "ssh-keygen -p"),
        (labelled("DSA PRIVATE KEY"), "not supported"),
        (labelled("RSA PRIVATE KEY"), "is not an RSA key"),
        (
            pem("EC PRIVATE KEY", b"nonsense"),
            "is damaged, or not on P-256 or P-384",
        ),
        (
            pem("PRIVATE KEY", b"nonsense"),
            "is damaged, or of a kind that is not supported",
        ),
    ] {
        let rule = rule(&text);
        assert!(rule.contains(says), "{text}: {rule}");
        assert!(
            !rule.contains("CANARY") && !rule.contains(&base64[..8]),
            "{rule}"
        );
    }
    for binary in [&b"\x30\x82\xff"[..], b"\xff\xfe-\0-\0"] {
        assert!(rule(binary).contains("openssl pkcs12 -nocerts"));
    }
}

#[test]
fn what_is_no_key_in_a_jwk_says_what_to_do() {
    let without = |jwk: &str, name: &str| {
        let mut jwk: serde_json::Value = serde_json::from_str(jwk).unwrap();
        jwk.as_object_mut().unwrap().remove(name);
        jwk.to_string()
    };
    let with = |jwk: &str, member: &str| jwk.replacen('{', &format!("{{{member},"), 1);
    let of = |jwk: &str, name: &str, value: &str| {
        let mut jwk: serde_json::Value = serde_json::from_str(jwk).unwrap();
        jwk[name] = value.into();
        jwk.to_string()
    };
    for (jwk, says) in [
        (String::new(), "is cut short or empty"),
        (RSA[..RSA.len() / 2].into(), "is cut short or empty"),
        ("[]".into(), "is not a JWK"),
        ("\"canary\"".into(), "is not a JWK"),
        (
            "-----BEGIN PRIVATE KEY-----".into(),
            "PEM has a function of its own",
        ),
        (format!(r#"{{"keys":[{EC}]}}"#), "is a set of keys"),
        (
            r#"{"protected":"canary","ciphertext":"canary","iv":"","tag":""}"#.into(),
            "is encrypted, as a JWE; decrypt it first",
        ),
        ("{}".into(), "has no `kty`"),
        (with(EC, r#""use":"enc""#), "is a JWK for encryption"),
        (
            with(EC, r#""alg":"ES256K""#),
            "has an `alg` that is not supported",
        ),
        (of(EC, "kty", "oct"), "is a shared secret"),
        (of(EC, "kty", "AKP"), "has a `kty` that is not supported"),
        (
            of(EC, "crv", "P-521"),
            "is on a curve that is not supported",
        ),
        (
            of(ED25519, "crv", "X25519"),
            "is on a curve that is not supported",
        ),
        (without(RSA, "d"), "is a public key, which cannot sign"),
        (without(EC, "d"), "is a public key, which cannot sign"),
        (without(ED25519, "d"), "is a public key, which cannot sign"),
        (
            without(RSA, "qi"),
            "has no `qi`; export the key with p, q, dp, dq and qi",
        ),
        (without(EC, "y"), "has no `y`"),
        (of(EC, "d", "canary+/="), "has a `d` that is not base64url"),
        (
            of(EC, "x", "AAAA"),
            "its numbers do not make a key on its curve",
        ),
        (
            of(ED25519, "d", "AAAA"),
            "its numbers do not make an Ed25519 key",
        ),
        (of(RSA, "d", "AAAA"), "its numbers do not make an RSA key"),
    ] {
        let rule = jwk_rule(&jwk);
        assert!(rule.contains(says), "{jwk}: {rule}");
        assert!(!rule.contains("canary"), "{rule}");
    }
}

#[test]
fn an_error_names_the_file() {
    let error = SigningKey::from_pem_file("/no/such/key.pem").unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid `signing_key /no/such/key.pem`: cannot be read: entity not found"
    );
    let path = std::env::temp_dir().join(format!("tower-oauth-{}-key", process::id()));
    fs::write(&path, "").unwrap();
    let errors = [
        SigningKey::from_pem_file(&path),
        SigningKey::from_jwk_file(&path),
    ];
    fs::remove_file(&path).unwrap();
    for error in errors.map(Result::unwrap_err) {
        assert!(error.field().ends_with("-key"), "{error}");
    }
}

#[test]
fn a_key_prints_its_kind_and_nothing_of_itself() {
    for (jwk, kind) in [(RSA, "an RSA key"), (EC, "P-256"), (ED25519, "Ed25519")] {
        let key = SigningKey::from_jwk(jwk).unwrap().with_kid("k-1");
        let text = format!("{key:?} {key:#?}");
        assert!(text.contains(kind) && text.contains("k-1"), "{text}");
        assert!(text.len() < 200, "{text}");
    }
}
