//! Classifies a transport's errors.

use std::{error::Error, io};

use super::response::CHECK_URL;
use crate::{
    BoxError, FailureClass, FetchError, FetchErrorKind,
    error::{CHECK_NETWORK, causes},
};

/// Words in the errors of TLS libraries. The crate does not know which library a transport uses, so it cannot name the
/// error types; the same holds for HTTP below.
const TLS_WORDS: [&str; 7] = [
    "certificate",
    "tls",
    "ssl",
    "handshake",
    "fatal alert",
    "corrupt message",
    "peer is incompatible",
];

/// The TLS alerts by which a server says what is wrong with a client's certificate (RFC 8446 §6.2), without blanks and
/// underscores: as rustls, OpenSSL and others spell them.
const REJECTED_CERTIFICATE: [&str; 7] = [
    "badcertificate",
    "certificateexpired",
    "certificaterevoked",
    "certificateunknown",
    "unsupportedcertificate",
    "unknownca",
    "accessdenied",
];
const MISSING_CERTIFICATE: [&str; 2] = ["certificaterequired", "nocertificate"];

/// Words in the errors of HTTP clients about an answer whose head cannot be read.
const HTTP_WORDS: [&str; 4] = [
    "invalid http",
    "invalid content-length",
    "transfer-encoding parsed",
    "message head is too large",
];

/// Words in the errors of HTTP clients about a connection that could not be opened.
const CONNECT_WORDS: [&str; 3] = ["dns error", "tcp connect error", "failed to lookup"];

/// Words in the errors of HTTP clients about a connection that ended too soon.
const BROKEN_WORDS: [&str; 9] = [
    "reading a body",
    "response body",
    "broken pipe",
    "connection closed",
    "connection error",
    "connection reset",
    "end of file",
    "unexpected eof",
    "stream error",
];

pub(super) const BROKE: &str = "the connection to the token endpoint broke";

pub(super) const CHECK_CERTIFICATE: &str =
    "Check the client certificate: that one is set, its expiry, and that the server knows it";

pub(super) fn classify(error: BoxError) -> FetchError {
    use FailureClass::{Permanent, Transient, Unclear};
    use FetchErrorKind::Unavailable;

    if causes(&*error).any(is_timeout) {
        return FetchError::timed_out("the token endpoint did not answer in time")
            .with_advice(CHECK_NETWORK)
            .with_source(error);
    }
    if mentions(&error, &HTTP_WORDS) {
        return FetchError::malformed("the answer is not HTTP")
            .with_advice(CHECK_URL)
            .with_source(error);
    }
    let failed = |class, what| FetchError::new(class, Unavailable, what);
    let failed = if alerts(&error, &MISSING_CERTIFICATE) {
        failed(Permanent, "the token endpoint demands a client certificate")
            .for_certificate()
            .with_advice("Give the HTTP client a certificate")
    } else if alerts(&error, &REJECTED_CERTIFICATE) {
        failed(
            Permanent,
            "the token endpoint rejected the client certificate",
        )
        .for_certificate()
        .with_advice(CHECK_CERTIFICATE)
    } else if !causes(&*error).any(is_broken_off) && mentions(&error, &TLS_WORDS) {
        failed(Unclear, "TLS with the token endpoint failed").with_advice(
            "Check the authorities that the client trusts, the host name of the token URL, and this machine's clock",
        )
    } else if is_unconnected(&error) {
        failed(Transient, "the token endpoint could not be reached").with_advice(CHECK_NETWORK)
    } else if causes(&*error).any(is_broken_off) || mentions(&error, &BROKEN_WORDS) {
        failed(Transient, BROKE)
    } else {
        failed(Transient, "the token endpoint could not be reached")
    };
    failed.with_source(error)
}

type Link<'a> = &'a (dyn Error + 'static);

fn is_timeout(error: Link<'_>) -> bool {
    #[cfg(feature = "reqwest")]
    if error.downcast_ref().is_some_and(reqwest::Error::is_timeout) {
        return true;
    }
    error.is::<tower::timeout::error::Elapsed>() || io_kind(error) == Some(io::ErrorKind::TimedOut)
}

fn alerts(error: &BoxError, alerts: &[&str]) -> bool {
    causes(&**error).any(|link| {
        let mut text = link.to_string().to_ascii_lowercase();
        text.retain(|it| !matches!(it, ' ' | '_' | '-'));
        text.contains("alert") && alerts.iter().any(|alert| text.contains(alert))
    })
}

fn is_unconnected(error: &BoxError) -> bool {
    use io::ErrorKind::*;
    let rejected = |link| {
        matches!(
            io_kind(link),
            Some(ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable)
        )
    };
    causes(&**error).any(rejected) || mentions(error, &CONNECT_WORDS)
}

/// A connection that ends during a TLS handshake is first of all a connection that ended. Of rustls' error for a
/// connection without a proper end, HTTP/2 passes on the words, and not the type.
fn is_broken_off(error: Link<'_>) -> bool {
    use io::ErrorKind::*;
    matches!(
        io_kind(error),
        Some(UnexpectedEof | ConnectionReset | ConnectionAborted | ConnectionRefused | BrokenPipe)
    ) || error
        .to_string()
        .contains("without sending TLS close_notify")
}

fn io_kind(error: Link<'_>) -> Option<io::ErrorKind> {
    error.downcast_ref().map(io::Error::kind)
}

fn mentions(error: &BoxError, words: &[&str]) -> bool {
    causes(&**error).any(|link| {
        let text = link.to_string().to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: io::ErrorKind, text: &'static str) -> BoxError {
        io::Error::new(kind, text).into()
    }

    fn wrapped(error: BoxError) -> BoxError {
        io::Error::other(error).into()
    }

    #[test]
    fn failures_are_distinguished() {
        use FailureClass::*;
        use FetchErrorKind::{Malformed, TimedOut, Unavailable};
        use io::ErrorKind as Io;
        let unreached = (Transient, Unavailable, "could not be reached");
        let broken = (Transient, Unavailable, "broke");
        let timed_out = (Transient, TimedOut, "did not answer in time");
        let tls = (Unclear, Unavailable, "TLS with the token endpoint failed");
        let not_http = (Unclear, Malformed, "the answer is not HTTP");
        let elapsed: BoxError = tower::timeout::error::Elapsed::new().into();
        for (error, (class, kind, says)) in [
            (io(Io::ConnectionRefused, "rejected"), unreached),
            (io(Io::HostUnreachable, "no route"), unreached),
            ("dns error".into(), unreached),
            ("no more permits".into(), unreached),
            (io(Io::ConnectionReset, "reset"), broken),
            (io(Io::UnexpectedEof, "tls handshake eof"), broken),
            ("connection closed before message completed".into(), broken),
            (
                "peer closed connection without sending TLS close_notify".into(),
                broken,
            ),
            (
                "connection error received: not a result of an error".into(),
                broken,
            ),
            (io(Io::TimedOut, "timed out"), timed_out),
            (wrapped(io(Io::TimedOut, "deadline")), timed_out),
            (elapsed, timed_out),
            (
                wrapped(io(
                    Io::InvalidData,
                    "invalid peer certificate: UnknownIssuer",
                )),
                tls,
            ),
            ("received fatal alert: HandshakeFailure".into(), tls),
            ("certificate verify failed".into(), tls),
            ("invalid HTTP version parsed".into(), not_http),
            ("message head is too large".into(), not_http),
        ] {
            let shown = format!("{error:?}");
            let error = classify(error);
            assert_eq!((error.class(), error.kind()), (class, kind), "{shown}");
            assert!(error.to_string().contains(says), "{shown}: {error}");
            assert!(!error.is_certificate_rejected(), "{shown}");
        }
    }

    /// As rustls and as OpenSSL spell them.
    #[test]
    fn a_client_certificate_that_the_server_does_not_take_is_permanent() {
        for (alert, says) in [
            (
                "received fatal alert: CertificateRequired",
                "demands a client certificate",
            ),
            (
                "tlsv13 alert certificate required",
                "demands a client certificate",
            ),
            (
                "received fatal alert: BadCertificate",
                "rejected the client certificate",
            ),
            (
                "received fatal alert: CertificateExpired",
                "rejected the client certificate",
            ),
            (
                "sslv3 alert certificate expired",
                "rejected the client certificate",
            ),
            (
                "received fatal alert: CertificateRevoked",
                "rejected the client certificate",
            ),
            (
                "received fatal alert: CertificateUnknown",
                "rejected the client certificate",
            ),
            (
                "received fatal alert: UnsupportedCertificate",
                "rejected the client certificate",
            ),
            (
                "received fatal alert: UnknownCA",
                "rejected the client certificate",
            ),
            ("tlsv1 alert unknown ca", "rejected the client certificate"),
            (
                "received fatal alert: AccessDenied",
                "rejected the client certificate",
            ),
        ] {
            let error = classify(wrapped(io(io::ErrorKind::InvalidData, alert)));
            assert_eq!(error.class(), FailureClass::Permanent, "{alert}");
            assert!(error.to_string().ends_with(says), "{alert}: {error}");
            assert!(error.is_certificate_rejected(), "{alert}");
            assert_eq!(error.cause().as_deref(), Some(alert));
        }
    }
}
