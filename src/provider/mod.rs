//! The providers that are known by name: each is one [`Dialect`], with the link to the document it is taken from, and
//! the ways to begin with it.
//!
//! Facts are marked with where they come from: `(doc)` the provider's page on authentication, `(docs)` other pages of
//! the provider, `(client)` clients seen at work, `(?)` disputed, and therefore easy to change. Every URL can be
//! replaced: see [`ClientCredentialsBuilder::token_url`] and [`ClientCredentialsBuilder::origin`].
//!
//! [`ClientCredentialsBuilder::token_url`]: crate::client_credentials::ClientCredentialsBuilder::token_url
//! [`ClientCredentialsBuilder::origin`]: crate::client_credentials::ClientCredentialsBuilder::origin

pub mod anbima;
pub mod avista;
pub mod bankly;
pub mod conta_simples;
#[cfg(test)]
mod tests;

use crate::{Origin, client_credentials::Dialect};

/// The same dialect in another environment.
fn moved(dialect: Dialect, token_url: &str, origin: &'static str) -> Dialect {
    Dialect {
        token_url: token_url.into(),
        origins: origins(origin),
        ..dialect
    }
}

fn origins(origin: &'static str) -> Vec<Origin> {
    vec![
        origin
            .parse()
            .expect("a provider's own origin is well-formed"),
    ]
}
