//! What a transport's error means for the next try.

use std::{error::Error, io};

use crate::{
    BoxError, FailureClass, FetchError,
    error::{FetchErrorKind, causes},
};

/// Words that TLS libraries use. Which library a transport uses is its own business, so its error types cannot be
/// named here, nor those of HTTP below.
const TLS_WORDS: [&str; 7] = [
    "certificate",
    "tls",
    "ssl",
    "handshake",
    "fatal alert",
    "corrupt message",
    "peer is incompatible",
];

/// Words that HTTP clients use of an answer whose head cannot be read.
const HTTP_WORDS: [&str; 4] = [
    "invalid http",
    "invalid content-length",
    "transfer-encoding parsed",
    "message head is too large",
];

pub(super) fn classify(error: BoxError) -> FetchError {
    if causes(&*error).any(is_timeout) {
        return FetchError::timed_out("the token endpoint did not answer in time")
            .with_source(error);
    }
    if speaks_of(&error, &HTTP_WORDS) {
        return FetchError::malformed("the answer is not HTTP; check the token URL")
            .with_source(error);
    }
    if !causes(&*error).any(is_broken_off) && speaks_of(&error, &TLS_WORDS) {
        return FetchError::new(
            FailureClass::Unclear,
            FetchErrorKind::Unavailable,
            "TLS with the token endpoint failed; check the authorities that the client trusts, the host name, the \
             client certificate and the clock",
        )
        .with_source(error);
    }
    FetchError::new(
        FailureClass::Transient,
        FetchErrorKind::Unavailable,
        "the token endpoint could not be reached, or the connection broke",
    )
    .with_source(error)
}

type Link<'a> = &'a (dyn Error + 'static);

fn is_timeout(error: Link<'_>) -> bool {
    #[cfg(feature = "reqwest")]
    if error.downcast_ref().is_some_and(reqwest::Error::is_timeout) {
        return true;
    }
    error.is::<tower::timeout::error::Elapsed>() || io_kind(error) == Some(io::ErrorKind::TimedOut)
}

/// A connection that ends during a TLS handshake is first of all a connection that ended.
fn is_broken_off(error: Link<'_>) -> bool {
    use io::ErrorKind::*;
    matches!(
        io_kind(error),
        Some(UnexpectedEof | ConnectionReset | ConnectionAborted | ConnectionRefused | BrokenPipe)
    )
}

fn io_kind(error: Link<'_>) -> Option<io::ErrorKind> {
    error.downcast_ref().map(io::Error::kind)
}

fn speaks_of(error: &BoxError, words: &[&str]) -> bool {
    causes(&**error).any(|link| {
        let text = link.to_string().to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_told_apart() {
        use FailureClass::*;
        use FetchErrorKind::{Malformed, TimedOut, Unavailable};
        let io = |kind, text: &'static str| -> BoxError { io::Error::new(kind, text).into() };
        let wrapped = |kind, text| -> BoxError { io::Error::other(io(kind, text)).into() };
        let elapsed: BoxError = tower::timeout::error::Elapsed::new().into();
        for (error, class, kind) in [
            (
                io(io::ErrorKind::ConnectionRefused, "refused"),
                Transient,
                Unavailable,
            ),
            (
                io(io::ErrorKind::ConnectionReset, "reset"),
                Transient,
                Unavailable,
            ),
            (
                io(io::ErrorKind::UnexpectedEof, "tls handshake eof"),
                Transient,
                Unavailable,
            ),
            (
                io(io::ErrorKind::TimedOut, "timed out"),
                Transient,
                TimedOut,
            ),
            (
                wrapped(io::ErrorKind::TimedOut, "deadline"),
                Transient,
                TimedOut,
            ),
            (elapsed, Transient, TimedOut),
            (
                wrapped(
                    io::ErrorKind::InvalidData,
                    "invalid peer certificate: UnknownIssuer",
                ),
                Unclear,
                Unavailable,
            ),
            (
                io(
                    io::ErrorKind::InvalidData,
                    "received fatal alert: CertificateRequired",
                ),
                Unclear,
                Unavailable,
            ),
            ("invalid HTTP version parsed".into(), Unclear, Malformed),
            ("message head is too large".into(), Unclear, Malformed),
            ("no more permits".into(), Transient, Unavailable),
        ] {
            let shown = format!("{error:?}");
            let error = classify(error);
            assert_eq!((error.class(), error.kind()), (class, kind), "{shown}");
        }
    }

    #[test]
    fn a_tls_failure_says_what_to_check() {
        let error = classify("invalid peer certificate: Expired".into());
        assert!(
            error
                .to_string()
                .starts_with("TLS with the token endpoint failed; check")
        );
    }
}
