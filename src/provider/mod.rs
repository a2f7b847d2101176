//! The built-in providers. Each is one data file in `src/provider/data/`, with links to the documents that its facts
//! are taken from. [`all`] returns every provider, [`find`] one by its name. Four have constructors of their own.
//!
//! Each fact names its source. In the modules of the four: `(doc)` the provider's page on authentication, `(docs)`
//! other pages of the provider, `(client)` the code of existing clients, `(?)` sources that disagree. In a data file:
//! `[D1]` a document of the provider, `[O1]` its own client, `[C1]` another client, `[X1]` somebody's notes, whose
//! addresses the file has; `[docs]`, `[client]` and `[note]` such sources whose address was not kept. Every URL can be
//! replaced: see [`ClientCredentialsBuilder::token_url`] and [`ClientCredentialsBuilder::origin`].
//!
//! [`ClientCredentialsBuilder::token_url`]: crate::client_credentials::ClientCredentialsBuilder::token_url
//! [`ClientCredentialsBuilder::origin`]: crate::client_credentials::ClientCredentialsBuilder::origin

pub mod anbima;
pub mod avista;
pub mod bankly;
mod catalogue;
pub mod conta_simples;
mod data_file;
mod nearest;
#[cfg(test)]
mod tests;

pub use self::{
    catalogue::{all, find},
    data_file::{Confidence, Provider},
};
use crate::client_credentials::Dialect;

/// A dialect of the crate's own files. Tests read each of those that are asked for here.
fn preset(name: &str, environment: &str) -> Dialect {
    find(name)
        .and_then(|provider| provider.dialect(environment))
        .expect("the crate has the data files of its own presets")
}
