//! Client certificates (mTLS), which may change while the client runs (feature `rustls`).
//!
//! [`Identity`] reads certificate and key from PEM or PKCS #12, and looks at the files again from time to time.
//! [`RenewingClient`] is an HTTP client that follows it. See the guide
//! [`mtls`](https://docs.rs/tower-oauth/latest/tower_oauth/guide/mtls/index.html).
//!
//! Inside: `material` says where the bytes are and reads them, `pem` and `pkcs12` take them apart, `pair` checks them.
//! `shared` has the pair in use, and `watch` the task that looks for another. `tls`, `reqwest` and `client` give it to
//! HTTP clients, `source` to a token source.

mod builder;
mod client;
mod expiry;
mod handle;
mod material;
mod pair;
mod pem;
mod pkcs12;
mod reqwest;
mod shared;
mod source;
mod text;
mod tls;
mod watch;

pub use {builder::IdentityBuilder, client::RenewingClient, handle::Identity, tls::roots_from_pem};
