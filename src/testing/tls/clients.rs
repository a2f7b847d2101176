//! Whose certificates a running bank accepts, and what it saw of them.

use std::io;

use bytes::Bytes;

use super::{Authority, Identity, serving};
use crate::testing::{Bank, CertificateUse, acceptor::ClientCertificate};

impl Bank {
    /// Accepts the client certificates of these authorities from now on, and no others. It applies to new handshakes:
    /// open connections stay.
    ///
    /// # Errors
    ///
    /// Fails if the bank does not use TLS.
    pub fn accept_clients_of(&self, authorities: &[&Authority]) -> io::Result<()> {
        self.serving()?.accept_clients_of(authorities)
    }

    /// Accepts only these client certificates of its own authority from now on, as if all others were revoked. It
    /// applies to new handshakes: open connections stay. [`accept_clients_of`](Self::accept_clients_of) ends it.
    ///
    /// # Errors
    ///
    /// Fails if the bank does not use TLS.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::testing::{Authority, Bank, Tls};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let authority = Authority::new()?;
    /// let bank = Bank::anbima().tls(Tls::new(&authority)?).start().await?;
    /// let renewed = authority.client("me")?;
    /// bank.accept_only(&[&renewed])?;
    /// // … the client under test renews its certificate …
    /// assert_eq!(bank.certificate_use(&renewed).handshakes, 0);
    /// # Ok::<(), std::io::Error>(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept_only(&self, clients: &[&Identity]) -> io::Result<()> {
        self.serving()?.accept_only(clients)
    }

    /// Returns how often clients have shown this certificate so far.
    pub fn certificate_use(&self, client: &Identity) -> CertificateUse {
        let certificate = serving::certificate(client).ok();
        let certificate = certificate.map(|it| ClientCertificate(Bytes::copy_from_slice(&it)));
        let state = self.handler.state();
        let seen = certificate.and_then(|it| state.certificates.get(&it).copied());
        seen.unwrap_or_default()
    }

    fn serving(&self) -> io::Result<&serving::Serving> {
        let serving = self.serving.as_deref();
        serving.ok_or_else(|| io::Error::other("the bank does not use TLS"))
    }
}
