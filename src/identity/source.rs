//! A source whose tokens go with a certificate.

use std::sync::Arc;

use super::Identity;
use crate::TokenSourceBuilder;

impl TokenSourceBuilder {
    /// Sets the client certificate that the fetcher shows, for a fetcher of your own. When it changes, the token is
    /// refreshed behind the requests, since it may be bound to the certificate (RFC 8705). [`Status`](crate::Status)
    /// then has the certificate's end.
    ///
    /// It does not change the fetcher's client: build that with [`RenewingClient`](super::RenewingClient).
    pub fn identity(self, identity: &Identity) -> Self {
        self.certificate(Arc::new(identity.clone()))
    }
}
