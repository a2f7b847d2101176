/// What a bank has seen so far; [`Bank::counters`](super::Bank::counters) takes the snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BankCounters {
    /// Requests at a token endpoint, whatever became of them.
    pub token_requests: u64,
    /// New tokens handed out.
    pub tokens_issued: u64,
    /// Token requests that were not exactly what the document says.
    pub token_rejections: u64,
    /// Token requests that met a fault.
    pub token_faults: u64,
    /// Requests at the API, whatever became of them.
    pub api_requests: u64,
    /// API requests that were served.
    pub api_ok: u64,
    /// API requests answered with 401 for want of a good token.
    pub api_unauthorized: u64,
    /// API requests answered with 403: a scope or a plan that does not cover the route, at ANBIMA a revoked token too.
    pub api_forbidden: u64,
    /// API requests that met a fault.
    pub api_faults: u64,
    /// Requests for a path that the bank does not have.
    pub not_found: u64,
}
