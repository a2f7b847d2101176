//! Reads a private key from PEM.
//!
//! Here and not in a library, since those leave copies of the key in memory that is not zeroized, and their errors
//! quote the text or say too little.

use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{Pair, SigningKey, ec};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// What to run on a key in another form. It asks for the passphrase if there is one.
const CONVERT: &str = "`openssl pkcs8 -topk8 -nocrypt -in key.pem -out plain.pem`";

/// Labels that may be repeated: any other may be anything.
const OTHERS: [&str; 9] = [
    "CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "CERTIFICATE REQUEST",
    "NEW CERTIFICATE REQUEST",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "EC PARAMETERS",
    "DH PARAMETERS",
    "X509 CRL",
];

type Read<T> = Result<T, String>;

pub(super) fn read(pem: &[u8]) -> Read<SigningKey> {
    let sections = sections(text(pem)?)?;
    let key = sections.iter().find(|it| it.label.ends_with("PRIVATE KEY"));
    let Some(section) = key else {
        return Err(no_key(&sections));
    };
    let pair = match section.label {
        "PRIVATE KEY" => pkcs8(&section.decode()?),
        "RSA PRIVATE KEY" => pkcs1(&section.decode()?),
        "EC PRIVATE KEY" => sec1(&section.decode()?),
        "ENCRYPTED PRIVATE KEY" => Err(is_encrypted()),
        "OPENSSH PRIVATE KEY" => Err(
            "is in OpenSSH's own format; convert it: `ssh-keygen -p -N '' -m PKCS8 -f key` (it changes the file)".into(),
        ),
        _ => Err("is a private key of a kind that is not supported; give an RSA, EC or Ed25519 key".into()),
    }?;
    Ok(SigningKey {
        pair: pair.into(),
        kid: None,
        algorithm: None,
    })
}

fn text(pem: &[u8]) -> Read<&str> {
    if pem.trim_ascii().is_empty() {
        return Err("is empty; give a private key in PEM".into());
    }
    std::str::from_utf8(pem).map_err(|_| {
        "is binary and not PEM; convert DER with `openssl pkey -inform DER -in key.der -out key.pem`, PKCS #12 with \
         `openssl pkcs12 -nocerts -nodes -in key.p12 -out key.pem`"
            .into()
    })
}

fn is_encrypted() -> String {
    format!("is encrypted, and cannot be read without its passphrase; decrypt it: {CONVERT}")
}

fn no_key(sections: &[Section<'_>]) -> String {
    let Some(first) = sections.first() else {
        return "has no PEM section; give a file that begins with -----BEGIN PRIVATE KEY-----"
            .into();
    };
    match OTHERS.into_iter().find(|known| *known == first.label) {
        Some(label) if label.ends_with("PUBLIC KEY") => {
            format!("is a {label}, which cannot sign; give the PRIVATE KEY of the pair")
        }
        Some(label) if label.contains("CERTIFICATE") => {
            format!("is a {label}, which cannot sign; give the PRIVATE KEY that belongs to it")
        }
        Some(label) => format!("has {label} and no private key; give the PRIVATE KEY"),
        None => "has a section of another kind and no private key; give the PRIVATE KEY".into(),
    }
}

struct Section<'a> {
    label: &'a str,
    /// The lines between BEGIN and END.
    lines: Vec<&'a str>,
}

impl Section<'_> {
    /// In buffers that are allocated in full and zeroized.
    fn decode(&self) -> Read<Zeroizing<Vec<u8>>> {
        // `Proc-Type: 4,ENCRYPTED`, as OpenSSL before 1.0 wrote it.
        if self.lines.iter().any(|line| line.contains("ENCRYPTED")) {
            return Err(is_encrypted());
        }
        let length = self.lines.iter().map(|line| line.len()).sum();
        let mut base64 = Zeroizing::new(String::with_capacity(length));
        base64.extend(self.lines.iter().map(|line| line.trim()));
        let mut der = Zeroizing::new(Vec::with_capacity(length));
        let damaged = |_| "is damaged: what stands between BEGIN and END is not base64; copy the whole file again";
        BASE64_STANDARD
            .decode_vec(base64.as_bytes(), &mut der)
            .map_err(damaged)?;
        Ok(der)
    }
}

fn sections(text: &str) -> Read<Vec<Section<'_>>> {
    let mut sections = Vec::new();
    let mut open: Option<Section<'_>> = None;
    for line in text.lines().map(str::trim) {
        if line.contains("\\n") {
            return Err("has its line breaks as the two characters \\n; write real ones".into());
        }
        match (&mut open, label(line, BEGIN), label(line, END)) {
            (None, Some(label), _) => {
                open = Some(Section {
                    label,
                    lines: Vec::new(),
                })
            }
            (None, ..) if line.contains("-----BEGIN") => {
                return Err(
                    "has more than the BEGIN line on a line; write real line breaks".into(),
                );
            }
            (None, ..) => {}
            (Some(section), None, Some(end)) if section.label == end => {
                sections.extend(open.take())
            }
            (Some(_), None, None) if !line.contains("-----") => {
                open.iter_mut().for_each(|section| section.lines.push(line));
            }
            (Some(_), ..) => return Err(CUT.into()),
        }
    }
    match open {
        Some(_) => Err(CUT.into()),
        None => Ok(sections),
    }
}

const CUT: &str =
    "is cut short: a section has no END line that matches its BEGIN; copy the whole file again";

/// The label of a line such as `-----BEGIN PRIVATE KEY-----`.
fn label<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let label = line.strip_prefix(marker)?.strip_suffix("-----")?;
    (!label.contains('-')).then_some(label)
}

fn pkcs8(der: &[u8]) -> Read<Pair> {
    let rsa = RsaKeyPair::from_pkcs8(der);
    if let Err(error) = &rsa
        && let Some(rule) = wrong_size(error.to_string().as_str())
    {
        return Err(rule);
    }
    let pair = rsa.ok().map(Pair::Rsa);
    let pair = pair.or_else(|| ec(|curve| EcdsaKeyPair::from_pkcs8(curve, der)));
    let pair = pair.or_else(|| Ed25519KeyPair::from_pkcs8(der).ok().map(Pair::Ed25519));
    pair.ok_or_else(|| {
        "is damaged, or of a kind that is not supported; give an RSA key of 2048 to 8192 bits that is not restricted to \
         PSS, an EC key on P-256 or P-384, or an Ed25519 key (`openssl pkey -in key.pem -noout -text` says what it is)"
            .into()
    })
}

fn pkcs1(der: &[u8]) -> Read<Pair> {
    RsaKeyPair::from_der(der).map(Pair::Rsa).map_err(|error| {
        let rule = wrong_size(&error.to_string());
        rule.unwrap_or_else(|| "is not an RSA key, or damaged; copy the whole file again".into())
    })
}

fn sec1(der: &[u8]) -> Read<Pair> {
    ec(|curve| EcdsaKeyPair::from_private_key_der(curve, der)).ok_or_else(|| {
        format!("is damaged, or not on P-256 or P-384; if the file is whole, try {CONVERT}")
    })
}

/// The library's words for a key that is whole and too weak or too long.
pub(super) fn wrong_size(error: &str) -> Option<String> {
    let size = match error {
        "TooSmall" => "small",
        "TooLarge" => "large",
        _ => return None,
    };
    Some(format!(
        "is too {size}: an RSA key must have 2048 to 8192 bits; make a new one and register it at the bank"
    ))
}
