//! The built-in providers. Each is one [`Dialect`] with a link to its document, and functions that return a builder.
//!
//! Each fact names its source: `(doc)` the provider's page on authentication, `(docs)` other pages of the provider,
//! `(client)` the code of existing clients, `(?)` sources that disagree. Every URL can be replaced: see
//! [`ClientCredentialsBuilder::token_url`] and [`ClientCredentialsBuilder::origin`].
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
