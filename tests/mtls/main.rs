//! Token endpoint and API that both demand a client certificate, over real sockets, through hyper-rustls and through
//! reqwest. All certificates are made here.

#[path = "../support/papers.rs"]
mod papers;
#[path = "../support/presets.rs"]
mod presets;

mod stack;

mod banks;
mod refusals;
