//! Reports of requests that a bank does not serve.

use std::{fmt, sync::Arc};

use http::{Method, StatusCode};

/// The longest path that is shown, in characters.
const LONGEST_PATH: usize = 256;

/// A request that a bank answered with an error, or a connection that it did not accept, and the reason.
///
/// [`BankBuilder::on_unserved`](super::BankBuilder::on_unserved) passes it to your function. It names fields and headers,
/// never a value. Its `Display` is one line, such as
/// `bankly: POST /connect/token: HTTP 400: the body lacks the field scope`.
#[derive(Clone, Debug)]
pub struct Unserved {
    bank: &'static str,
    request: Option<(Method, String)>,
    status: Option<StatusCode>,
    reason: String,
}

impl Unserved {
    pub(super) fn request(
        bank: &'static str,
        request: &http::Request<bytes::Bytes>,
        status: StatusCode,
        reason: &str,
    ) -> Self {
        let path = request.uri().path().chars().take(LONGEST_PATH).collect();
        Self {
            bank,
            request: Some((request.method().clone(), path)),
            status: Some(status),
            reason: reason.to_owned(),
        }
    }

    #[cfg(feature = "testing-tls")]
    pub(super) fn connection(bank: &'static str, reason: String) -> Self {
        Self {
            bank,
            request: None,
            status: None,
            reason,
        }
    }

    /// Returns the bank's short name.
    pub fn bank(&self) -> &'static str {
        self.bank
    }

    /// Returns the status of the bank's answer. `None`: the connection ended in its TLS handshake.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Returns the reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.bank)?;
        match &self.request {
            // A path is untrusted input.
            Some((method, path)) => write!(f, "{method} {}: ", path.escape_debug())?,
            None => f.write_str("TLS handshake: ")?,
        }
        match self.status {
            Some(status) => write!(f, "HTTP {}: {}", status.as_u16(), self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// A function that gets each report.
#[derive(Clone)]
pub(super) struct Observer(pub(super) Arc<dyn Fn(&Unserved) + Send + Sync>);
