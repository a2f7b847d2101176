use std::{fmt, time::Duration};

use super::Client;
use crate::testing::{counters::ClientCounters, handler::BankHandler};

/// One client of a bank: what it did, and what the bank does with it. [`Bank::client`](crate::testing::Bank::client)
/// returns it.
///
/// # Examples
///
/// ```
/// use tower_oauth::testing::Bank;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let customers = (1..=10_000).map(|n| (format!("customer-{n}"), format!("secret-{n}")));
/// let bank = Bank::avista().clients(customers).start().await?;
///
/// let customer = bank.client("customer-7");
/// assert_eq!(customer.secret(), "secret-7");
/// customer.revoke_all(); // the tokens of the others stay valid
/// customer.disable();
/// assert_eq!(customer.counters().token_requests, 0);
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct BankClient<'a> {
    client: &'a Client,
    handler: &'a BankHandler,
}

impl<'a> BankClient<'a> {
    pub(in crate::testing) fn new(client: &'a Client, handler: &'a BankHandler) -> Self {
        Self { client, handler }
    }

    /// Returns its id.
    pub fn id(&self) -> &'a str {
        &self.client.id
    }

    /// Returns its current secret.
    pub fn secret(&self) -> &'a str {
        &self.client.current().secret
    }

    /// Returns what the bank has counted of this client so far.
    pub fn counters(&self) -> ClientCounters {
        self.client.counters()
    }

    /// Replaces its secret. From now on the token endpoint denies the old one with `invalid_client`. Tokens issued
    /// before stay valid.
    pub fn set_secret(&self, secret: impl Into<String>) {
        self.set_secret_with_grace(secret, Duration::ZERO);
    }

    /// Replaces its secret. The token endpoint accepts the old one, too, for the time of grace, by the bank's clock.
    pub fn set_secret_with_grace(&self, secret: impl Into<String>, grace: Duration) {
        let until = self.handler.clock.now() + grace;
        self.client.set_secret(secret.into(), until);
    }

    /// Revokes every token issued to it so far. The API rejects them with 401, at ANBIMA with 403.
    pub fn revoke_all(&self) {
        self.handler.state().token_store.revoke_all_of(self.id());
    }

    /// Ends the lifetime of every token issued to it so far. The API rejects them with 401.
    pub fn expire_all(&self) {
        let now = self.handler.clock.now();
        self.handler
            .state()
            .token_store
            .expire_all_of(self.id(), now);
    }

    /// Denies its token requests with `invalid_client` and 401, until [`enable`](Self::enable). Tokens issued before
    /// stay valid: revoke them with [`revoke_all`](Self::revoke_all).
    pub fn disable(&self) {
        self.client.set_disabled(true);
    }

    /// Accepts its token requests again.
    pub fn enable(&self) {
        self.client.set_disabled(false);
    }
}

impl fmt::Debug for BankClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankClient")
            .field("id", &self.id())
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}
