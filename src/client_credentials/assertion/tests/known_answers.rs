use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{EC, ED25519, RSA, signature};
use crate::{SigningAlgorithm, client_credentials::SigningKey};

/// The payload of RFC 7515, appendices A.2 and A.3.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn decode(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn encoded(key: &str, algorithm: SigningAlgorithm, message: &str) -> String {
    let key = SigningKey::from_jwk(key).unwrap();
    key.check(algorithm).unwrap();
    BASE64_URL_SAFE_NO_PAD.encode(signature(&key, algorithm, message))
}

#[test]
fn rs256_of_rfc_7515_a_2() {
    let message = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}");
    assert_eq!(
        encoded(RSA, SigningAlgorithm::Rs256, &message),
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUA\
         r7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--\
         xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_Io\
         ypGlUPQGe77Rw"
    );
}

/// ECDSA is random: the published signature and ours have the same form, and are verified the same way.
#[test]
fn es256_of_rfc_7515_a_3() {
    let message = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}");
    let published =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let point = [
        vec![4],
        decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    ];
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.concat());
    let own = encoded(EC, SigningAlgorithm::Es256, &message);
    for signature in [published, &own] {
        assert!(
            public
                .verify(message.as_bytes(), &decode(signature))
                .is_ok(),
            "{signature}"
        );
    }
}

#[test]
fn eddsa_of_rfc_8037_a_4() {
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(
        encoded(ED25519, SigningAlgorithm::EdDsa, message),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

/// PSS is random, too. That the salt is as long as the digest (RFC 7518 §3.5) is what the verification here wants, and
/// the published signature passes it.
#[test]
fn ps384_of_rfc_7520_4_2() {
    let n = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVw\
             GU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3\
             uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gH\
             drNP5zw";
    let message = "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2lu\
                   ZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwI\
                   HlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
    let published = "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1\
                     OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm\
                     8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYm\
                     JUAfmWjwZ6oD4ifKo8DYM-X72Eaw";
    let verify = |n: &str, signature: &str| {
        let public = RsaPublicKeyComponents {
            n: decode(n),
            e: decode("AQAB"),
        };
        public.verify(
            &RSA_PSS_2048_8192_SHA384,
            message.as_bytes(),
            &decode(signature),
        )
    };
    assert!(verify(n, published).is_ok());
    let own: serde_json::Value = serde_json::from_str(RSA).unwrap();
    let signature = encoded(RSA, SigningAlgorithm::Ps384, message);
    assert!(verify(own["n"].as_str().unwrap(), &signature).is_ok());
}
