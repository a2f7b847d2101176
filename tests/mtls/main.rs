//! Token endpoint and API that both demand a client certificate, over real sockets, through hyper-rustls and through
//! reqwest. All certificates are made here.

#[path = "../support/papers.rs"]
mod papers;
#[path = "../support/presets.rs"]
mod presets;
#[path = "../support/told.rs"]
mod told;

mod stack;

mod banks;
mod nothing_told;
mod refusals;
