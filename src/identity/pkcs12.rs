//! Reads PKCS #12, the `.p12` and `.pfx` files that authorities hand out.

use p12_keystore::{Pkcs12Archive, error::Error};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A private key and all certificates beside it.
pub(super) type Contents = (PrivateKeyDer<'static>, Vec<CertificateDer<'static>>);

/// What is wrong, and whether that is the password.
pub(super) enum Mistake {
    Password(&'static str),
    Archive(&'static str),
}

/// Opens an archive. One without a password has the empty one.
pub(super) fn open(bytes: &[u8], password: Option<&str>) -> Result<Contents, Mistake> {
    check_form(bytes).map_err(Mistake::Archive)?;
    let archive = Pkcs12Archive::from_pkcs12(bytes, password.unwrap_or_default())
        .map_err(|error| mistake(&error, password.is_some()))?;
    let key = archive.keys.first().ok_or(Mistake::Archive(
        "the archive holds no private key; export the certificate together with its key",
    ))?;
    let key = PrivatePkcs8KeyDer::from(key.key.as_der().to_vec());
    let certificates = archive.certs.iter();
    let certificates = certificates.map(|it| CertificateDer::from(it.cert.as_der().to_vec()));
    Ok((key.into(), certificates.collect()))
}

fn check_form(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.trim_ascii().is_empty() {
        return Err("the file is empty");
    }
    if bytes.starts_with(b"-----") {
        return Err("the file is PEM, and must be PKCS #12 here");
    }
    match bytes {
        // A sequence with a length of two bytes, as every archive with a certificate is.
        [0x30, 0x82, high, low, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            match rest.len() < length {
                true => Err("the file is cut short"),
                false => Ok(()),
            }
        }
        [0x30, ..] => Ok(()),
        _ => Err("the file is not PKCS #12"),
    }
}

/// The library's own words may quote what it read.
fn mistake(error: &Error, has_password: bool) -> Mistake {
    match (error, has_password) {
        (Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_), true) => {
            Mistake::Password("does not open the archive")
        }
        (Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_), false) => {
            Mistake::Password("must be given: the archive is encrypted")
        }
        (Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm, _) => {
            Mistake::Archive(
                "the archive's cipher is not supported; export it anew with `openssl pkcs12 -export`",
            )
        }
        _ => Mistake::Archive("the archive is damaged, or is not PKCS #12"),
    }
}
