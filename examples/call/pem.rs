//! Reads PEM files. What is wrong with one is said in words of our own: the library's errors quote the file.

use std::{fs, path::Path};

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

/// An option and the file that it names.
#[derive(Clone, Copy)]
pub(crate) struct PemFile<'a> {
    pub(crate) option: &'static str,
    pub(crate) path: &'a Path,
}

impl PemFile<'_> {
    pub(crate) fn certificates(self) -> Result<Vec<CertificateDer<'static>>, String> {
        let bytes = self.read()?;
        match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(self.wrong(&mistake(&bytes, CERTIFICATE))),
        }
    }

    pub(crate) fn private_key(self) -> Result<PrivateKeyDer<'static>, String> {
        let bytes = self.read()?;
        PrivateKeyDer::from_pem_slice(&bytes)
            .map_err(|_| self.wrong(&mistake(&bytes, "PRIVATE KEY")))
    }

    pub(crate) fn wrong(self, what: &str) -> String {
        format!("{} {}: {what}", self.option, self.path.display())
    }

    fn read(self) -> Result<Zeroizing<Vec<u8>>, String> {
        let bytes = fs::read(self.path)
            .map_err(|error| self.wrong(&format!("the file cannot be read: {}", error.kind())))?;
        Ok(Zeroizing::new(bytes))
    }
}

/// Why a file is not PEM, or has no section of the kind that is wanted.
fn mistake(bytes: &[u8], wanted: &str) -> String {
    if bytes.trim_ascii().is_empty() {
        return "the file is empty".into();
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return "the file is binary (DER, PKCS #12 or UTF-16), and must be PEM; openssl can convert it".into();
    };
    match sections(text) {
        Ok(sections) => wrong_sections(&sections, wanted),
        Err((line, what)) => format!("line {line}: {what}"),
    }
}

/// A section: the line it begins on, and its label if that may be shown.
type Section = (usize, Option<&'static str>);

/// The file's sections, or the first line that is wrong.
fn sections(text: &str) -> Result<Vec<Section>, (usize, &'static str)> {
    let mut sections = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_end();
        if line.contains("\\n") || line.contains("\\r") {
            return Err((
                number,
                "line breaks are written as the two characters \\n; write real ones",
            ));
        }
        match (begun(line), open) {
            (Some(_), Some((since, _))) => return Err((since, NO_END)),
            (Some(Err(what)), None) => return Err((number, what)),
            (Some(Ok(label)), None) => open = Some((number, label)),
            (None, Some((since, label))) => {
                if let Some(ended) = line.strip_prefix(END) {
                    if ended.strip_suffix("-----") != Some(label) {
                        return Err((number, "the END line does not match its BEGIN line"));
                    }
                    sections.push((since, LABELS.into_iter().find(|known| *known == label)));
                    open = None;
                } else if line.contains("ENCRYPTED") {
                    return Err((number, IS_ENCRYPTED));
                } else if !is_base64(line) {
                    return Err((number, "this is not base64"));
                }
            }
            (None, None) => {}
        }
    }
    match open {
        Some((since, _)) => Err((since, NO_END)),
        None => Ok(sections),
    }
}

const NO_END: &str = "the section that begins here has no END line; the file is cut short";
const IS_ENCRYPTED: &str =
    "the key is encrypted with a passphrase; decrypt it, with `openssl pkey` for example";

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

fn wrong_sections(sections: &[Section], wanted: &str) -> String {
    let Some((line, label)) = sections.first() else {
        return "the file holds no PEM section (-----BEGIN … -----)".into();
    };
    let is_wanted = |(_, label): &Section| label.is_some_and(|label| label.ends_with(wanted));
    let found = label.unwrap_or("section of another kind");
    match sections.iter().find(|section| is_wanted(section)) {
        Some((line, Some(ENCRYPTED))) => format!("line {line}: {IS_ENCRYPTED}"),
        Some((line, Some("TRUSTED CERTIFICATE" | "OPENSSH PRIVATE KEY" | "DSA PRIVATE KEY"))) => {
            format!("line {line}: this kind is not supported; openssl can convert it")
        }
        Some((line, _)) => format!("line {line}: the base64 of this section is damaged"),
        None => format!("line {line}: a {wanted} is wanted, and this is a {found}"),
    }
}
