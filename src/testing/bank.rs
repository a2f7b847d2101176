use std::{fmt, sync::Arc, time::Duration};

use super::{
    acceptor::Acceptor,
    builder::BankBuilder,
    clients::BankClient,
    counters::BankCounters,
    expiry::ExpiresIn,
    fault::{Fault, Faults},
    handler::BankHandler,
    server::Server,
    specification::{ANBIMA, AVISTA, BANKLY, CONTA_SIMPLES, Gives},
};

/// A bank that listens on loopback until it is dropped. Use it in tests only: any process on the machine can reach the
/// port.
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
    pub(super) handler: Arc<BankHandler>,
    server: Server,
    /// With TLS.
    #[cfg(feature = "testing-tls")]
    pub(super) serving: Option<Arc<super::tls::Serving>>,
}

impl Bank {
    pub(super) fn new(handler: Arc<BankHandler>, server: Server, acceptor: Acceptor) -> Self {
        #[cfg(not(feature = "testing-tls"))]
        let Acceptor::Plain = acceptor;
        Self {
            handler,
            server,
            #[cfg(feature = "testing-tls")]
            serving: match acceptor {
                Acceptor::Plain => None,
                Acceptor::Tls(serving) => Some(serving),
            },
        }
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

    /// Returns the URL of the token endpoint.
    pub fn token_url(&self) -> String {
        self.url(self.handler.specification.token_endpoints[0].path)
    }

    /// Returns the URL of the token endpoint for clients that show a certificate in place of a secret. Only Bankly has
    /// it. Over plain HTTP a client cannot show a certificate, and the endpoint denies every request.
    pub fn mtls_token_url(&self) -> Option<String> {
        let endpoint = self.handler.specification.token_endpoints.get(1)?;
        Some(self.url(endpoint.path))
    }

    /// Returns scheme, host and port of the API. The token endpoint has the same.
    pub fn api_origin(&self) -> String {
        self.server.origin()
    }

    /// Returns the URL where a client obtains its certificate, with a token of the scope `certificate.create`. Only
    /// Bankly has it, and only over TLS (the feature `testing-tls`).
    pub fn certificates_url(&self) -> Option<String> {
        self.handler.certificate_issuer.as_ref()?;
        let mut routes = self.handler.routes.iter();
        let route = routes.find(|route| route.gives == Gives::Certificate)?;
        Some(self.url(&format!("{}/{}/certificates", route.path, self.client_id())))
    }

    /// Returns the URL of a path at this bank.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.origin())
    }

    /// Returns the URL of an API route that accepts any valid token.
    pub fn api_url(&self) -> String {
        self.url(self.handler.specification.routes[0].path)
    }

    /// Returns the URL of an API route that answers 403 to a valid token: at ANBIMA it is outside the plan; at the
    /// other banks the token lacks the scope, unless the test gives it that scope.
    pub fn forbidden_url(&self) -> String {
        self.url(self.handler.specification.routes[1].path)
    }

    /// Returns the client with this id: the bank's own, or one of [`BankBuilder::clients`].
    ///
    /// # Panics
    ///
    /// Panics if the bank does not know the client.
    pub fn client(&self, id: &str) -> BankClient<'_> {
        match self.handler.clients.get(id) {
            Some(client) => BankClient::new(client, &self.handler),
            None => panic!("the bank knows no client {id:?}: add it with BankBuilder::client"),
        }
    }

    /// Returns the id of the bank's own client.
    pub fn client_id(&self) -> &str {
        &self.handler.clients.own().id
    }

    /// Returns the current secret of that client.
    pub fn client_secret(&self) -> &str {
        &self.handler.clients.own().current().secret
    }

    /// Returns what the bank has counted so far.
    pub fn counters(&self) -> BankCounters {
        *self.handler.counters.borrow()
    }

    /// Waits until the function returns `true` for the counters, and returns these counters.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any point.
    pub async fn wait_for(&self, reached: impl FnMut(&BankCounters) -> bool) -> BankCounters {
        let mut changes = self.handler.counters.subscribe();
        let seen = changes.wait_for(reached).await;
        // The sender lives as long as the bank.
        seen.map_or_else(|_| self.counters(), |counters| *counters)
    }

    /// Returns why the bank last answered a request with an error of its own: a denial of the token endpoint, a
    /// rejection of the API, or an unknown path. The text names fields and headers, never a value. `None`: no such
    /// answer yet.
    pub fn last_error(&self) -> Option<String> {
        self.handler.state().last_error.clone()
    }

    /// Replaces the secret of the bank's own client. From now on the token endpoint denies the old one with `invalid_client`. Tokens
    /// issued before stay valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::testing::Bank;
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let bank = Bank::avista().start().await?;
    /// bank.set_secret("the next secret");
    /// assert_eq!(bank.client_secret(), "the next secret");
    /// # Ok::<(), std::io::Error>(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_secret(&self, secret: impl Into<String>) {
        self.set_secret_with_grace(secret, Duration::ZERO);
    }

    /// Replaces the secret of the bank's own client. The token endpoint accepts the old one, too, for the time of grace, by the bank's
    /// clock.
    pub fn set_secret_with_grace(&self, secret: impl Into<String>, grace: Duration) {
        let until = self.handler.clock.now() + grace;
        self.handler.clients.own().set_secret(secret.into(), until);
    }

    /// Revokes every token issued so far, whichever the client. The API rejects them with 401, at ANBIMA with 403.
    pub fn revoke_all(&self) {
        self.handler.state().token_store.revoke_all();
    }

    /// Ends the lifetime of every token issued so far, whichever the client. The API rejects them with 401.
    pub fn expire_all(&self) {
        let now = self.handler.clock.now();
        self.handler.state().token_store.expire_all(now);
    }

    /// Sets the lifetime of the tokens issued from now on.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.handler.state().lifetime = lifetime;
    }

    /// Sets how the answers from now on write `expires_in`.
    pub fn set_expires_in(&self, style: ExpiresIn) {
        self.handler.state().expires_in = style;
    }

    /// Queues faults. Each applies to one token request, in order.
    pub fn token_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.handler.state().token_faults.queue(faults);
    }

    /// Applies a fault to every token request that meets no queued fault, until [`heal`](Self::heal).
    pub fn token_fault_always(&self, fault: Fault) {
        self.handler.state().token_faults.set_permanent(fault);
    }

    /// Queues faults. Each applies to one API request, in order.
    pub fn api_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.handler.state().api_faults.queue(faults);
    }

    /// Applies a fault to every API request that meets no queued fault, until [`heal`](Self::heal).
    pub fn api_fault_always(&self, fault: Fault) {
        self.handler.state().api_faults.set_permanent(fault);
    }

    /// Removes all faults, queued and permanent, of both sides. Requests that hang already continue to hang.
    pub fn heal(&self) {
        let mut state = self.handler.state();
        state.token_faults = Faults::default();
        state.api_faults = Faults::default();
    }

    /// Closes the bank. When this returns, its port is free.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the bank closes a moment later.
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
