use std::{
    fmt, io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

#[cfg(feature = "testing-tls")]
use super::tls::{Serving, Tls};
use super::{
    acceptor::Acceptor,
    bank::Bank,
    clients::Client,
    expiry::ExpiresIn,
    handler::BankHandler,
    server::Server,
    specification::{Route, Specification},
    token_rate::TokenRate,
    unserved::{Observer, Unserved},
};

/// Configures a bank before it starts. Each default is what the bank's document says.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::testing::{Bank, ExpiresIn};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let bank = Bank::bankly()
///     .credentials("my-id", "my-secret")
///     .lifetime(Duration::from_secs(300))
///     .expires_in(ExpiresIn::Timestamp)
///     .scopes(["boleto.read"])
///     .start()
///     .await?;
/// assert_eq!(bank.client_id(), "my-id");
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct BankBuilder {
    handler: BankHandler,
    port: u16,
    #[cfg(feature = "testing-tls")]
    tls: Option<Tls>,
}

impl BankBuilder {
    pub(super) fn new(specification: &'static Specification) -> Self {
        Self {
            handler: BankHandler::new(specification),
            port: 0,
            #[cfg(feature = "testing-tls")]
            tls: None,
        }
    }

    /// Sets the bank's own client: the one that the methods of [`Bank`] are about. Default: at ANBIMA the client of the
    /// worked example in its document.
    #[must_use]
    pub fn credentials(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.handler.clients.replace_own(Client::new(id, secret));
        self
    }

    /// Adds a client. It replaces one with the same id. Default: the bank knows its own client only.
    #[must_use]
    pub fn client(self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.clients([(id, secret)])
    }

    /// Adds clients, each an id and a secret. Ten thousand are cheap. [`Bank::client`] returns one of them.
    ///
    /// All clients have the same scopes and the same lifetimes, and the faults apply to all of them.
    #[must_use]
    pub fn clients(
        mut self,
        clients: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        for (id, secret) in clients {
            self.handler.clients.insert(Client::new(id, secret));
        }
        self
    }

    /// Limits the rate of token requests: at most `requests` in any window of the length `per`, by the bank's clock.
    /// The bank answers others with 429 and a `Retry-After` in whole seconds. It does not look at them: they meet no
    /// fault, and they do not count as requests of the window. All clients and all token endpoints share the rate.
    /// Default: no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_oauth::testing::Bank;
    ///
    /// // As Bankly's document says: 180 requests in 10 seconds.
    /// let bank = Bank::bankly().token_rate(180, Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn token_rate(self, requests: usize, per: Duration) -> Self {
        self.handler.state().token_rate = Some(TokenRate::new(requests, per));
        self
    }

    /// Sets the lifetime of a token, counted from its request. Default: an hour, at Conta Simples 30 minutes.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        self.handler.state().lifetime = lifetime;
        self
    }

    /// Sets how the answer writes the lifetime. Default: a number of seconds.
    #[must_use]
    pub fn expires_in(self, style: ExpiresIn) -> Self {
        self.handler.state().expires_in = style;
        self
    }

    /// Revokes all earlier tokens of a client when it gets a new one. Default: they stay valid.
    #[must_use]
    pub fn single_active(mut self) -> Self {
        self.handler.custom.single_active = true;
        self
    }

    /// Answers with the same token until it expires, also after it was revoked, like an endpoint behind a cache. Its
    /// `expires_in` is the rest of its lifetime. Default: a new token for every request.
    #[must_use]
    pub fn same_token_until_expiry(mut self) -> Self {
        self.handler.custom.repeats = true;
        self
    }

    /// Sets the scopes of the clients. At Bankly they are the scopes that they may ask for (default: any), at the other
    /// banks those that every token holds (default: `pix:read pix:write balance:read` at Avista, none at the others).
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.handler.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Adds an API path, with everything below it, that accepts any valid token.
    #[must_use]
    pub fn route(mut self, path: &'static str) -> Self {
        self.handler.routes.insert(0, Route::open(path));
        self
    }

    /// Sets the port on 127.0.0.1. Default: a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the clock by which tokens expire. Default: tokio's, which a test may pause. A paused clock jumps to the
    /// next timer whenever the runtime is idle, even while it waits for a socket.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.handler.clock = self.handler.clock.with_now(now);
        self
    }

    /// Sets the time of day, for `Date` and for an `expires_in` that is a moment. Default: the machine's.
    #[must_use]
    pub fn wall_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.handler.clock = self.handler.clock.with_wall(now);
        self
    }

    /// Uses TLS. Default: plain HTTP.
    #[cfg(feature = "testing-tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.handler.certificate_issuer = Some(tls.certificate_issuer());
        self.tls = Some(tls);
        self
    }

    /// Requires a signed assertion in place of the secret, at every token endpoint of the bank. Default: what the
    /// bank's document says.
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn assertions(mut self, assertions: super::Assertions) -> Self {
        self.handler.assertions = Some(assertions);
        self
    }

    /// Calls a function for each request that the bank does not serve, with the reason. Default: none. Use it to see
    /// what is wrong while a client runs against the bank; a test looks at
    /// [`Bank::last_error`](super::Bank::last_error). The answers of a [`Fault`](super::Fault) are not reported.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::testing::Bank;
    ///
    /// let bank = Bank::avista().on_unserved(|unserved| eprintln!("{unserved}"));
    /// ```
    #[must_use]
    pub fn on_unserved(mut self, observe: impl Fn(&Unserved) + Send + Sync + 'static) -> Self {
        self.handler.observer = Some(Observer(Arc::new(observe)));
        self
    }

    /// Starts the bank. It stops when the [`Bank`] is dropped. Call it within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the bank cannot listen on the port, or cannot use the certificate.
    pub async fn start(self) -> io::Result<Bank> {
        let acceptor = self.acceptor()?;
        let handler = Arc::new(self.handler);
        let server = Server::start(self.port, acceptor.clone(), Arc::clone(&handler)).await?;
        Ok(Bank::new(handler, server, acceptor))
    }

    fn acceptor(&self) -> io::Result<Acceptor> {
        #[cfg(feature = "testing-tls")]
        if let Some(tls) = &self.tls {
            return Ok(Acceptor::Tls(Arc::new(Serving::new(tls.clone())?)));
        }
        Ok(Acceptor::Plain)
    }
}

impl fmt::Debug for BankBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankBuilder")
            .field("bank", &self.handler.specification.name)
            .field("client", self.handler.clients.own().current())
            .field("clients", &self.handler.clients.len())
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
