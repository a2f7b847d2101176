//! How a client proves who it is, and what of that is in its token request.

use super::{AssertionUse, CredentialPlacement, Dialect, Grant};

/// RFC 7523 §2.1.
const JWT_BEARER: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");

/// RFC 7523 §2.2.
const ASSERTION_TYPE: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);

/// By what a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client_credentials) enum Proof {
    Secret,
    /// Its TLS certificate.
    Certificate,
    /// A JWT that it signs. Its certificate may be wanted as well.
    Assertion,
}

impl Dialect {
    pub(in crate::client_credentials) fn proof(&self) -> Proof {
        match (&self.assertion, &self.credentials) {
            (Some(_), _) => Proof::Assertion,
            (None, CredentialPlacement::IdOnly { .. }) => Proof::Certificate,
            (None, _) => Proof::Secret,
        }
    }

    /// Whether the credentials are in the `Authorization` header.
    pub(in crate::client_credentials) fn is_basic(&self) -> bool {
        self.assertion.is_none() && self.credentials.is_basic()
    }

    /// The body's field that has the client's id.
    pub(in crate::client_credentials) fn id_field(&self) -> Option<&str> {
        match (&self.assertion, &self.credentials) {
            (Some(assertion), credentials) => assertion.id_field(credentials),
            (None, CredentialPlacement::Body { id, .. } | CredentialPlacement::IdOnly { id }) => {
                Some(id)
            }
            (
                None,
                CredentialPlacement::BasicEncoded
                | CredentialPlacement::BasicRaw
                | CredentialPlacement::Headers { .. },
            ) => None,
        }
    }

    /// The body's field that has the client's secret.
    pub(in crate::client_credentials) fn secret_field(&self) -> Option<&str> {
        match (&self.assertion, &self.credentials) {
            (None, CredentialPlacement::Body { secret, .. }) => Some(secret),
            _ => None,
        }
    }

    /// The field that names the grant, and its value.
    pub(in crate::client_credentials) fn grant_pair(&self) -> Option<(&str, &str)> {
        match (self.assertion_use(), &self.grant) {
            (Some(AssertionUse::Grant), Grant::ClientCredentials) => Some(JWT_BEARER),
            (_, grant) => grant.pair(),
        }
    }

    /// The field that says what the assertion is, and its value.
    pub(in crate::client_credentials) fn assertion_type(&self) -> Option<(&str, &str)> {
        let is_client = self.assertion_use() == Some(AssertionUse::Client);
        is_client.then_some(ASSERTION_TYPE)
    }

    pub(in crate::client_credentials) fn assertion_use(&self) -> Option<AssertionUse> {
        self.assertion.as_ref().map(|it| it.usage)
    }
}
