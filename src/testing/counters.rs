/// What a bank has counted so far: a snapshot from [`Bank::counters`](super::Bank::counters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BankCounters {
    /// Token requests, whatever their result.
    pub token_requests: u64,
    /// New tokens that the bank issued.
    pub tokens_issued: u64,
    /// Token requests that the bank denied, since they were not exactly what the bank's document says.
    pub token_denials: u64,
    /// Token requests over [`BankBuilder::token_rate`](super::BankBuilder::token_rate), answered with 429. They are no
    /// denials.
    pub token_over_rate: u64,
    /// Token requests that met a fault.
    pub token_faults: u64,
    /// API requests, whatever their result.
    pub api_requests: u64,
    /// API requests with a good answer.
    pub api_ok: u64,
    /// API requests without a valid token, answered with 401.
    pub api_unauthorized: u64,
    /// API requests answered with 403: a scope or a plan that does not cover the route, at ANBIMA a revoked token too.
    pub api_forbidden: u64,
    /// API requests that met a fault.
    pub api_faults: u64,
    /// Requests for a path that the bank does not have.
    pub not_found: u64,
}

/// What a bank has counted of one client: a snapshot from [`BankClient::counters`](super::BankClient::counters).
///
/// A token request belongs to the client that it names, also if its secret is wrong. An API request belongs to the client
/// that its token was issued to, also if the token is no longer valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCounters {
    /// Token requests, whatever their result.
    pub token_requests: u64,
    /// New tokens that the bank issued.
    pub tokens_issued: u64,
    /// Token requests that the bank denied.
    pub token_denials: u64,
    /// API requests, whatever their result.
    pub api_requests: u64,
    /// API requests with a good answer.
    pub api_ok: u64,
}

/// How often clients have shown one certificate: a snapshot from
#[cfg_attr(
    feature = "testing-tls",
    doc = "[`Bank::certificate_use`](super::Bank::certificate_use)."
)]
#[cfg_attr(not(feature = "testing-tls"), doc = "`Bank::certificate_use`.")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateUse {
    /// Handshakes with it that succeeded.
    pub handshakes: u64,
    /// Requests on their connections.
    pub requests: u64,
}
