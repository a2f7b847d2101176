//! A certificate chain and its key, checked.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{
    Error as TlsError, InconsistentKeys,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::{CertifiedKey, SigningKey},
};
use x509_parser::{certificate::X509Certificate, parse_x509_certificate};
use zeroize::Zeroizing;

use crate::lifecycle::CertificateStatus;

/// # Invariants
///
/// The key belongs to the first certificate, each further certificate issued the one before it, and all of them parse.
pub(super) struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) key: Zeroizing<PrivateKeyDer<'static>>,
    pub(super) status: CertificateStatus,
}

/// What is wrong with a pair, and with which half.
#[derive(Debug)]
pub(super) enum Mistake {
    Certificate(String),
    Key(&'static str),
}

impl Pair {
    /// Finds the key's certificate among these, and puts its chain in order.
    pub(super) fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Mistake> {
        let key = Zeroizing::new(key);
        let signer = aws_lc_rs::sign::any_supported_type(&key).map_err(|_| {
            Mistake::Key("the key is damaged, or neither RSA nor ECDSA nor Ed25519")
        })?;
        let parsed = parsed(&certificates)?;
        let own = own(&certificates, &signer)?;
        let chain = chain(&parsed, own);
        let status = status(&parsed[own]);
        let chain = chain.into_iter().map(|at| certificates[at].clone());
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(chain.collect(), signer)),
            key,
            status,
        })
    }

    pub(super) fn has_expired(&self, now: SystemTime) -> bool {
        self.status.not_after < now
    }

    pub(super) fn is_valid_yet(&self, now: SystemTime) -> bool {
        self.status.not_before <= now
    }
}

fn parsed<'a>(
    certificates: &'a [CertificateDer<'static>],
) -> Result<Vec<X509Certificate<'a>>, Mistake> {
    let parsed = certificates.iter().zip(1..).map(|(certificate, number)| {
        match parse_x509_certificate(certificate) {
            Ok(([], parsed)) => Ok(parsed),
            _ => Err(Mistake::Certificate(format!(
                "certificate {number} of the file is damaged"
            ))),
        }
    });
    parsed.collect()
}

/// Which certificate the key belongs to: exports do not always put it first.
fn own(
    certificates: &[CertificateDer<'static>],
    signer: &Arc<dyn SigningKey>,
) -> Result<usize, Mistake> {
    let fits = |certificate: &CertificateDer<'static>| {
        let alone = CertifiedKey::new(vec![certificate.clone()], signer.clone());
        alone.keys_match()
    };
    let mut damaged = None;
    for (certificate, at) in certificates.iter().zip(0..) {
        match fits(certificate) {
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => return Ok(at),
            Err(TlsError::InconsistentKeys(_)) => {}
            Err(_) => damaged = Some(at + 1),
        }
    }
    Err(match damaged {
        Some(number) => Mistake::Certificate(format!(
            "certificate {number} of the file is damaged, or not of X.509 version 3, which TLS needs"
        )),
        None => Mistake::Key("the key does not belong to the certificate"),
    })
}

/// The certificate and its issuers, as far as they are there.
fn chain(certificates: &[X509Certificate<'_>], own: usize) -> Vec<usize> {
    let mut chain = vec![own];
    let mut last = own;
    loop {
        let issuer = certificates[last].issuer().as_raw();
        let next = (0..certificates.len())
            .find(|at| certificates[*at].subject().as_raw() == issuer && !chain.contains(at));
        match next {
            Some(next) => chain.push(next),
            None => return chain,
        }
        last = chain[chain.len() - 1];
    }
}

fn status(certificate: &X509Certificate<'_>) -> CertificateStatus {
    let validity = certificate.validity();
    CertificateStatus {
        serial: serial(certificate.raw_serial()),
        not_before: moment(validity.not_before.timestamp()),
        not_after: moment(validity.not_after.timestamp()),
    }
}

/// A first byte of zero is DER's, for the sign.
fn serial(bytes: &[u8]) -> String {
    let bytes = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    };
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A time before 1970 counts as 1970.
fn moment(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or_default())
}

/// The certificate's facts, and nothing of the key.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(f)
    }
}
