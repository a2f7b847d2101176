//! What proves who the client is, and may change while it runs: client certificates (mTLS) and secrets.
//!
//! [`Identity`] reads certificate and key from PEM or PKCS #12, and looks at the files again from time to time.
//! [`RenewingClient`] is an HTTP client that follows it. See the guide
//! [`mtls`](https://docs.rs/tower-oauth/latest/tower_oauth/guide/mtls/index.html).
//!
//! Inside: `material` says where the bytes are and reads them, `pem` and `pkcs12` take them apart, `pair` checks them.
//! `shared` has the pair in use, and `watch` the task that looks for another. `tls`, `reqwest` and `client` give it to HTTP
//! clients, `source` to a token source. `secret` reads secrets.
// Without `rustls` the module is private, and only its secrets are built.

#[cfg(feature = "rustls")]
mod builder;
#[cfg(feature = "rustls")]
mod client;
#[cfg(feature = "rustls")]
mod expiry;
#[cfg(feature = "rustls")]
mod handle;
#[cfg(feature = "rustls")]
mod material;
#[cfg(feature = "rustls")]
mod pair;
#[cfg(feature = "rustls")]
mod pem;
#[cfg(feature = "rustls")]
mod pkcs12;
#[cfg(feature = "rustls")]
mod reqwest;
#[cfg(feature = "client-credentials")]
pub(crate) mod secret;
#[cfg(feature = "rustls")]
mod shared;
#[cfg(feature = "rustls")]
mod source;
#[cfg(feature = "rustls")]
mod text;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "rustls")]
mod watch;

#[cfg(feature = "client-credentials")]
pub(crate) use secret::Secret;
#[cfg(feature = "rustls")]
pub use {builder::IdentityBuilder, client::RenewingClient, handle::Identity, tls::roots_from_pem};
