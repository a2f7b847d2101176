//! Token endpoint and API that both demand a client certificate, over real sockets, through hyper-rustls and through
//! reqwest. All certificates are made here.

mod renewed;
mod stack;

mod banks;
#[cfg(unix)]
mod broken;
mod nothing_shown;
mod rejections;
mod renewal;
