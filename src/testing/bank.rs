use std::{fmt, sync::Arc, time::Duration};

use super::{
    builder::BankBuilder,
    counters::BankCounters,
    expiry::ExpiresIn,
    fault::{Fault, Faults},
    handler::BankHandler,
    server::Server,
    specification::{ANBIMA, AVISTA, BANKLY, CONTA_SIMPLES, Gives},
};

/// A bank that is open on loopback, until it is dropped. Not for anything but tests: whoever reaches the port may ask.
///
/// # Examples
///
/// ```
/// use tower_oauth::testing::Bank;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let bank = Bank::anbima().start().await?;
/// assert_eq!(bank.token_url(), format!("{}/oauth/access-token", bank.api_origin()));
/// assert_eq!(bank.counters().token_requests, 0);
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Bank {
    handler: Arc<BankHandler>,
    server: Server,
}

impl Bank {
    pub(super) fn new(handler: Arc<BankHandler>, server: Server) -> Self {
        Self { handler, server }
    }

    /// ANBIMA: Basic and JSON for a token, two headers and no `Authorization` for the API, a 403 of two meanings.
    pub fn anbima() -> BankBuilder {
        BankBuilder::new(&ANBIMA)
    }

    /// Avista: the credentials in JSON, without a grant type.
    pub fn avista() -> BankBuilder {
        BankBuilder::new(&AVISTA)
    }

    /// Conta Simples: Basic, and a form of the grant type alone.
    pub fn conta_simples() -> BankBuilder {
        BankBuilder::new(&CONTA_SIMPLES)
    }

    /// Bankly: credentials and scopes in a form.
    pub fn bankly() -> BankBuilder {
        BankBuilder::new(&BANKLY)
    }

    /// A short name: `anbima`, `avista`, `conta-simples` or `bankly`.
    pub fn name(&self) -> &'static str {
        self.handler.specification.name
    }

    /// Where tokens are handed out.
    pub fn token_url(&self) -> String {
        self.url(self.handler.specification.token_endpoints[0].path)
    }

    /// Where tokens are handed out to a client that shows a certificate in place of its secret; only Bankly has it. Over
    /// plain HTTP no certificate can be shown, and everyone is rejected.
    pub fn mtls_token_url(&self) -> Option<String> {
        let endpoint = self.handler.specification.token_endpoints.get(1)?;
        Some(self.url(endpoint.path))
    }

    /// The scheme, host and port of the API, which is also where tokens are handed out.
    pub fn api_origin(&self) -> String {
        self.server.origin()
    }

    /// Where a client obtains its certificate, with a token of the scope `certificate.create`; only Bankly has it, and
    /// only over TLS (the feature `testing-tls`).
    pub fn certificates_url(&self) -> Option<String> {
        self.handler.certificate_issuer.as_ref()?;
        let mut routes = self.handler.routes.iter();
        let route = routes.find(|route| route.gives == Gives::Certificate)?;
        Some(self.url(&format!("{}/{}/certificates", route.path, self.client_id())))
    }

    /// A path at this bank, as an address.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.origin())
    }

    /// A route of the API that any good token opens.
    pub fn api_url(&self) -> String {
        self.url(self.handler.specification.routes[0].path)
    }

    /// A route of the API that answers 403 to a good token: outside ANBIMA's plan, or outside the scopes that a token
    /// elsewhere has unless it was given them.
    pub fn forbidden_url(&self) -> String {
        self.url(self.handler.specification.routes[1].path)
    }

    /// The id of the client that the bank knows.
    pub fn client_id(&self) -> &str {
        &self.handler.client.id
    }

    /// The secret of that client.
    pub fn client_secret(&self) -> &str {
        &self.handler.client.secret
    }

    /// What the bank has seen so far.
    pub fn counters(&self) -> BankCounters {
        *self.handler.counters.borrow()
    }

    /// Waits until the bank has seen what the function is looking for, and returns the counters of that moment.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any point.
    pub async fn wait_for(&self, reached: impl FnMut(&BankCounters) -> bool) -> BankCounters {
        let mut changes = self.handler.counters.subscribe();
        let seen = changes.wait_for(reached).await;
        // The sender lives as long as the bank.
        seen.map_or_else(|_| self.counters(), |counters| *counters)
    }

    /// Why the bank last rejected a request. It names fields and headers, never a value.
    pub fn last_rejection(&self) -> Option<String> {
        self.handler.state().last_rejection.clone()
    }

    /// From now on every token issued so far is rejected: with 401, at ANBIMA with 403.
    pub fn revoke_all(&self) {
        self.handler.state().token_store.revoke_all();
    }

    /// Ends the life of every token issued so far: each is rejected with 401.
    pub fn expire_all(&self) {
        let now = self.handler.clock.now();
        self.handler.state().token_store.expire_all(now);
    }

    /// How long the tokens issued from now on live.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.handler.state().lifetime = lifetime;
    }

    /// How the answers from now on write `expires_in`.
    pub fn set_expires_in(&self, style: ExpiresIn) {
        self.handler.state().expires_in = style;
    }

    /// Queues faults: each strikes one token request, in order.
    pub fn token_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.handler.state().token_faults.queue(faults);
    }

    /// Strikes every token request that no queued fault strikes, until [`heal`](Self::heal).
    pub fn token_fault_always(&self, fault: Fault) {
        self.handler.state().token_faults.stand(fault);
    }

    /// Queues faults: each strikes one API request, in order.
    pub fn api_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.handler.state().api_faults.queue(faults);
    }

    /// Strikes every API request that no queued fault strikes, until [`heal`](Self::heal).
    pub fn api_fault_always(&self, fault: Fault) {
        self.handler.state().api_faults.stand(fault);
    }

    /// Ends all faults, queued and standing, on both sides. Requests that hang already go on hanging.
    pub fn heal(&self) {
        let mut state = self.handler.state();
        state.token_faults = Faults::default();
        state.api_faults = Faults::default();
    }

    /// Closes the bank; when this returns, its port is free.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any point: the bank closes all the same, a moment later.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

impl fmt::Debug for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bank")
            .field("name", &self.name())
            .field("origin", &self.api_origin())
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}
