//! Reads a private key from a JWK (RFC 7517, RFC 7518 §6.2 and §6.3, RFC 8037 §2).

use aws_lc_rs::{
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Pair, SigningKey, ec, pem::wrong_size};

type Read<T> = Result<T, String>;

/// The members that are read. The numbers are borrowed, so that there is no copy to be zeroized.
#[derive(Deserialize)]
struct Jwk<'a> {
    kty: Option<String>,
    crv: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    keys: Option<serde::de::IgnoredAny>,
    /// Of a JWE, by which RFC 7517 §7 encrypts a key.
    ciphertext: Option<serde::de::IgnoredAny>,
    n: Option<&'a str>,
    e: Option<&'a str>,
    x: Option<&'a str>,
    y: Option<&'a str>,
    d: Option<&'a str>,
    p: Option<&'a str>,
    q: Option<&'a str>,
    dp: Option<&'a str>,
    dq: Option<&'a str>,
    qi: Option<&'a str>,
}

pub(super) fn read(json: &[u8]) -> Read<SigningKey> {
    let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
    // The library's own words quote the file.
    let jwk: Jwk<'_> = serde_json::from_slice(json).map_err(|error| match error.is_eof() {
        true => "is cut short or empty: the JSON has no end; copy the whole file again",
        false => "is not a JWK, which is one JSON object of strings; PEM has a function of its own",
    })?;
    if jwk.keys.is_some() {
        return Err("is a set of keys; give one key of it".into());
    }
    if jwk.ciphertext.is_some() {
        return Err(
            "is encrypted, as a JWE; decrypt it first, and give the JWK that is in it".into(),
        );
    }
    if jwk.usage.as_deref() == Some("enc") {
        return Err(
            "is a JWK for encryption (`use` is \"enc\"); give the one for signatures".into(),
        );
    }
    let pair = jwk.pair()?;
    let algorithm =
        match &jwk.alg {
            Some(name) => Some(name.parse().map_err(
                |_| "has an `alg` that is not supported; take it out, or give another key",
            )?),
            None => None,
        };
    Ok(SigningKey {
        pair: pair.into(),
        kid: jwk.kid,
        algorithm,
    })
}

impl Jwk<'_> {
    fn pair(&self) -> Read<Pair> {
        match (self.kty.as_deref(), self.crv.as_deref()) {
            (Some("RSA"), _) => self.rsa(),
            (Some("EC"), Some("P-256" | "P-384")) => self.ec(),
            (Some("OKP"), Some("Ed25519")) => self.ed25519(),
            (Some("oct"), _) => {
                Err("is a shared secret (`kty` is \"oct\"); give a private key".into())
            }
            (Some("EC" | "OKP"), _) => Err(
                "is on a curve that is not supported; give a key on P-256, P-384 or Ed25519".into(),
            ),
            (Some(_), _) => {
                Err("has a `kty` that is not supported; give an RSA, EC or OKP key".into())
            }
            (None, _) => Err("has no `kty`; give a JWK as RFC 7517 has it".into()),
        }
    }

    fn rsa(&self) -> Read<Pair> {
        let d = private("d", self.d)?;
        let components = KeyPairComponents {
            public_key: PublicKeyComponents {
                n: public("n", self.n)?,
                e: public("e", self.e)?,
            },
            d,
            p: factor("p", self.p)?,
            q: factor("q", self.q)?,
            dP: factor("dp", self.dp)?,
            dQ: factor("dq", self.dq)?,
            qInv: factor("qi", self.qi)?,
        };
        RsaKeyPair::from_components(&components)
            .map(Pair::Rsa)
            .map_err(|error| {
                let rule = wrong_size(&error.to_string());
                rule.unwrap_or_else(|| damaged("an RSA key"))
            })
    }

    fn ec(&self) -> Read<Pair> {
        let d = private("d", self.d)?;
        let point = [vec![4], public("x", self.x)?, public("y", self.y)?].concat();
        let pair = ec(|curve| EcdsaKeyPair::from_private_key_and_public_key(curve, &d, &point));
        pair.ok_or_else(|| damaged("a key on its curve"))
    }

    fn ed25519(&self) -> Read<Pair> {
        let d = private("d", self.d)?;
        let pair = Ed25519KeyPair::from_seed_and_public_key(&d, &public("x", self.x)?);
        pair.map(Pair::Ed25519)
            .map_err(|_| damaged("an Ed25519 key"))
    }
}

fn damaged(kind: &str) -> String {
    format!("is damaged: its numbers do not make {kind}; export it again")
}

fn public(name: &str, value: Option<&str>) -> Read<Vec<u8>> {
    let text = value.ok_or_else(|| format!("has no `{name}`; give the whole JWK"))?;
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| not_base64(name))
}

fn private(name: &str, value: Option<&str>) -> Read<Zeroizing<Vec<u8>>> {
    let none =
        || format!("is a public key, which cannot sign: it has no `{name}`; give the private JWK");
    decode(name, value.ok_or_else(none)?)
}

/// What RFC 7518 §6.3.2 recommends beside `d`, and signing needs.
fn factor(name: &str, value: Option<&str>) -> Read<Zeroizing<Vec<u8>>> {
    let none = || format!("has no `{name}`; export the key with p, q, dp, dq and qi");
    decode(name, value.ok_or_else(none)?)
}

/// Into a buffer that is allocated in full and zeroized.
fn decode(name: &str, text: &str) -> Read<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let decoded = BASE64_URL_SAFE_NO_PAD.decode_vec(text, &mut bytes);
    decoded.map_err(|_| not_base64(name))?;
    Ok(bytes)
}

fn not_base64(name: &str) -> String {
    format!("has a `{name}` that is not base64url without padding; export the key again")
}
