//! Reads PEM. What is wrong is said in words of our own: the library's errors quote the file.

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// Labels that may be shown: any other may be anything.
const LABELS: [&str; 12] = [
    CERTIFICATE,
    ENCRYPTED,
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "EC PARAMETERS",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "CERTIFICATE REQUEST",
    "TRUSTED CERTIFICATE",
];
const CERTIFICATE: &str = "CERTIFICATE";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// A private key as the file has it.
pub(super) enum FoundKey {
    Plain(PrivateKeyDer<'static>),
    /// PKCS #8 under a password, as DER.
    Encrypted(Zeroizing<Vec<u8>>),
}

/// The certificates, in the order of the file.
///
/// # Errors
///
/// Says why the bytes are not PEM, or hold no certificate.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let sections = checked(bytes, CERTIFICATE)?;
    let certificates = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(wrong_sections(&sections, CERTIFICATE)),
    }
}

/// The first private key.
///
/// # Errors
///
/// Says why the bytes are not PEM, or hold no private key.
pub(super) fn private_key(bytes: &[u8]) -> Result<FoundKey, String> {
    let wanted = "PRIVATE KEY";
    let sections = checked(bytes, wanted)?;
    if let Ok(key) = PrivateKeyDer::from_pem_slice(bytes) {
        return Ok(FoundKey::Plain(key));
    }
    let encrypted = sections
        .iter()
        .find(|section| section.label == Some(ENCRYPTED));
    encrypted
        .and_then(Section::decoded)
        .map(FoundKey::Encrypted)
        .ok_or_else(|| wrong_sections(&sections, wanted))
}

struct Section<'a> {
    /// The line that it begins on.
    line: usize,
    /// If it may be shown.
    label: Option<&'static str>,
    base64: Vec<&'a str>,
}

impl Section<'_> {
    fn decoded(&self) -> Option<Zeroizing<Vec<u8>>> {
        let text = Zeroizing::new(self.base64.concat());
        STANDARD.decode(text.as_bytes()).ok().map(Zeroizing::new)
    }
}

/// The sections of a text, if it is PEM as a whole.
fn checked<'a>(bytes: &'a [u8], wanted: &str) -> Result<Vec<Section<'a>>, String> {
    if bytes.trim_ascii().is_empty() {
        return Err("the file is empty".into());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| binary(bytes).to_owned())?;
    // Some exports put lines such as `Bag Attributes` around the sections.
    let sections = sections(text).map_err(|(line, what)| format!("line {line}: {what}"))?;
    match sections.is_empty() {
        true => Err(wrong_sections(&sections, wanted)),
        false => Ok(sections),
    }
}

/// What a file that is no text seems to be.
fn binary(bytes: &[u8]) -> &'static str {
    match bytes {
        // A sequence that begins with the number 3 is PKCS #12's `PFX`.
        [0x30, 0x82, _, _, 0x02, 0x01, 0x03, ..] | [0x30, 0x80, 0x02, 0x01, 0x03, ..] => {
            "the file is binary (PKCS #12), and must be PEM here"
        }
        [0x30, ..] => {
            "the file is binary (DER), and must be PEM; `openssl x509 -inform der` converts a certificate, \
             `openssl pkey -inform der` a key"
        }
        _ => "the file is binary (UTF-16, perhaps), and must be PEM",
    }
}

/// The text's sections, or the first line that is wrong.
fn sections(text: &str) -> Result<Vec<Section<'_>>, (usize, &'static str)> {
    let mut sections = Vec::new();
    let mut open: Option<(Section<'_>, &str)> = None;
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_end();
        if line.contains("\\n") || line.contains("\\r") {
            return Err((
                number,
                "line breaks are written as the two characters \\n; write real ones",
            ));
        }
        match (begun(line), &mut open) {
            (Some(_), Some((section, _))) => return Err((section.line, NO_END)),
            (Some(Err(what)), None) => return Err((number, what)),
            (Some(Ok(label)), None) => open = Some((begin(number, label), label)),
            (None, Some((section, label))) => match line.strip_prefix(END) {
                Some(ended) if ended.strip_suffix("-----") == Some(label) => {
                    sections.extend(open.take().map(|(section, _)| section));
                }
                Some(_) => return Err((number, "the END line does not match its BEGIN line")),
                None if line.contains("ENCRYPTED") => return Err((number, OLD_ENCRYPTION)),
                None if !is_base64(line) => return Err((number, "this is not base64")),
                None => section.base64.push(line),
            },
            (None, None) => {}
        }
    }
    match open {
        Some((section, _)) => Err((section.line, NO_END)),
        None => Ok(sections),
    }
}

fn begin<'a>(line: usize, label: &str) -> Section<'a> {
    Section {
        line,
        label: LABELS.into_iter().find(|known| *known == label),
        base64: Vec::new(),
    }
}

const NO_END: &str = "the section that begins here has no END line; the file is cut short";
const OLD_ENCRYPTION: &str = "the key is encrypted in an old format; `openssl pkcs8 -topk8` writes it in the one that is supported";

/// The label of a section that begins on this line, and nothing else with it.
fn begun(line: &str) -> Option<Result<&str, &'static str>> {
    let start = line.find("-----BEGIN")?;
    let label = line
        .strip_prefix(BEGIN)
        .and_then(|it| it.strip_suffix("-----"));
    Some(match label {
        _ if start > 0 => Err("there is text or a blank before -----BEGIN"),
        Some(label) if !label.contains("--") => Ok(label),
        _ => Err("more follows the BEGIN marker; have line breaks become blanks, or got lost?"),
    })
}

/// Headers such as `DEK-Info: …` stand in old encrypted keys only.
fn is_base64(line: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    line.bytes().all(is_part)
}

fn wrong_sections(sections: &[Section<'_>], wanted: &str) -> String {
    let Some(first) = sections.first() else {
        return "the file holds no PEM section (-----BEGIN … -----)".into();
    };
    let is_wanted = |section: &&Section<'_>| section.label.is_some_and(|it| it.ends_with(wanted));
    match sections.iter().find(is_wanted) {
        Some(Section {
            line,
            label: Some("TRUSTED CERTIFICATE" | "OPENSSH PRIVATE KEY" | "DSA PRIVATE KEY"),
            ..
        }) => format!("line {line}: this kind is not supported; openssl can convert it"),
        Some(section) => format!(
            "line {}: the base64 of this section is damaged",
            section.line
        ),
        None => {
            let found = first.label.unwrap_or("section of another kind");
            format!(
                "line {}: a {wanted} is wanted, and this is a {found}",
                first.line
            )
        }
    }
}
