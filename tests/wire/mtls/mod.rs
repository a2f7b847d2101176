//! Token endpoint and API that both demand a client certificate, over real sockets, through hyper-rustls and through
//! reqwest. All certificates are made here.

mod stack;

mod banks;
mod nothing_shown;
mod rejections;
