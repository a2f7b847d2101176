//! What an error says, for the advice on it.

use std::{error::Error, io, iter, time::SystemTime};

use rustls::{AlertDescription, Error as TlsError};
use tokio::time::error::Elapsed;
use tower_oauth::OAuthError;

/// In place of a library's words on the alert that did not come.
const HUNG_UP: &str = "the server ended the TLS connection without a word";

pub(crate) struct Cause {
    /// The word that it is counted by.
    pub(crate) kind: &'static str,
    /// Its words and those of all that caused it, each once, without advice.
    pub(crate) text: String,
    /// Of the token endpoint's answer.
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    /// When the token endpoint may be asked again.
    pub(crate) retry_at: Option<SystemTime>,
    pub(crate) tls: Option<Tls>,
}

/// What went wrong between the two ends of a TLS connection.
#[derive(Clone, Copy)]
pub(crate) enum Tls {
    /// The server does not take the client's certificate, or wants one.
    ClientRejected,
    /// The client does not take the server's certificate.
    ServerRejected,
    /// The server ended the handshake or the connection, and did not say why.
    Failed,
    /// The same, without any word.
    HungUp,
}

impl Cause {
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let oauth = OAuthError::find(error);
        let fetch = oauth.and_then(OAuthError::fetch_error);
        Self {
            kind: kind(error),
            text: text(error),
            status: fetch.and_then(|it| it.status()).map(|it| it.as_u16()),
            code: fetch.and_then(|it| it.code()).map(str::to_owned),
            retry_at: oauth.and_then(OAuthError::retry_at),
            tls: causes(error).find_map(tls),
        }
    }
}

pub(crate) fn kind(error: &(dyn Error + 'static)) -> &'static str {
    match OAuthError::find(error) {
        Some(oauth) => oauth.kind().as_str(),
        None if error.is::<Elapsed>() => "timeout",
        None => "transport",
    }
}

/// An error and its causes, also what an `io::Error` carries without calling it its source.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        fetched(error)
            .or_else(|| carried(error))
            .or_else(|| error.source())
    })
}

/// What a failed fetch was caused by, which an `OAuthError` says itself and does not pass on.
fn fetched<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let oauth = error.downcast_ref::<OAuthError>()?;
    oauth.fetch_error()?.source()
}

fn carried<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let carried = error.downcast_ref().and_then(io::Error::get_ref)?;
    Some(carried)
}

/// A cause that its error repeats is said once.
fn text(error: &(dyn Error + 'static)) -> String {
    if let Some(oauth) = OAuthError::find(error) {
        // The innermost: the others repeat it.
        let broken = causes(error)
            .filter(|cause| matches!(tls(*cause), Some(Tls::HungUp)))
            .last();
        return match broken {
            Some(cause) => oauth.summary().replace(&cause.to_string(), HUNG_UP),
            None => oauth.summary(),
        };
    }
    let mut whole = String::new();
    for cause in causes(error) {
        let words = words(cause);
        if whole.contains(&words) {
            continue;
        }
        if !whole.is_empty() {
            whole.push_str(": ");
        }
        whole.push_str(&words);
    }
    whole
}

fn words(cause: &(dyn Error + 'static)) -> String {
    match (alert(cause), tls(cause)) {
        // It has the words of what it carries.
        _ if carried(cause).is_some() => String::new(),
        (Some(alert), Some(Tls::ClientRejected)) => {
            format!("the server rejected the client certificate ({alert:?})")
        }
        (_, Some(Tls::HungUp)) => HUNG_UP.to_owned(),
        _ => cause.to_string(),
    }
}

fn tls(cause: &(dyn Error + 'static)) -> Option<Tls> {
    if let Some(alert) = alert(cause) {
        return alert_of(alert);
    }
    match cause.downcast_ref() {
        Some(TlsError::InvalidCertificate(_)) => Some(Tls::ServerRejected),
        // rustls says so in an error that is not its own.
        _ if cause
            .to_string()
            .contains("without sending TLS close_notify") =>
        {
            Some(Tls::HungUp)
        }
        _ => None,
    }
}

/// Over HTTP/2 a client passes on the alert's words, and not its type.
fn alert(cause: &(dyn Error + 'static)) -> Option<AlertDescription> {
    if let Some(TlsError::AlertReceived(alert)) = cause.downcast_ref() {
        return Some(*alert);
    }
    let words = cause.to_string();
    let is_said =
        |it: &AlertDescription| words.ends_with(&TlsError::AlertReceived(*it).to_string());
    ABOUT_CERTIFICATES.into_iter().find(is_said)
}

/// The alerts that are about the client's certificate.
const ABOUT_CERTIFICATES: [AlertDescription; 9] = [
    AlertDescription::NoCertificate,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::CertificateRequired,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
];

fn alert_of(alert: AlertDescription) -> Option<Tls> {
    match alert {
        _ if ABOUT_CERTIFICATES.contains(&alert) => Some(Tls::ClientRejected),
        // TLS 1.2's word for a certificate that is missing, and for much else.
        AlertDescription::HandshakeFailure => Some(Tls::Failed),
        _ => None,
    }
}
