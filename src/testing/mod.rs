//! The four banks as strict servers on loopback, to test your own service against.
//!
//! Each reads the bank's document to the letter: method, path, media type, fields and the very bytes of the
//! credentials. One field more or fewer is rejected, and [`Bank::last_rejection`] says why;
//! [`BankBuilder::on_unserved`] says so at once. Tokens expire, can be revoked,
//! and are looked at on every call of the API. Either side can be struck by a [`Fault`]. A [`Foreign`] host shows that
//! nothing leaked.
//!
//! | | token endpoint | served with any good token | rejected with 403 |
//! |---|---|---|---|
//! | [ANBIMA](Bank::anbima) | `/oauth/access-token` | `/feed/precos-indices/v1/…` | `/feed/fundos/v1/…` (plan) |
//! | [Avista](Bank::avista) | `/oauth/token` | `/cob/…` | `/webhook/…` (scope `webhook:write`) |
//! | [Conta Simples](Bank::conta_simples) | `/oauth/v1/access-token` | `/statements/v1/credit-card/…` | `/transfers/v1/…` |
//! | [Bankly](Bank::bankly) | `/connect/token`, `/oauth2/token` (mTLS) | `/accounts/…` | `/cards/…` (scope `card.read`) |
//!
//! Every token request must say `Accept: application/json` and its `Content-Length`. A route of the API answers any
//! method with a JSON echo of `method`, `path`, `length` and `body`; more routes are added with [`BankBuilder::route`].
//!
//! With the feature `testing-tls` a bank is also served over TLS (`BankBuilder::tls`), with certificates made for the
//! test. Bankly's second token endpoint wants a client certificate, so that it rejects everyone without TLS.
//!
//! # Examples
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, StatusCode, header};
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower_oauth::testing::Bank;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let bank = Bank::avista().credentials("my-id", "my-secret").start().await?;
//! let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
//!
//! // Avista's document knows no grant type, so that it is rejected.
//! let request = Request::post(bank.token_url())
//!     .header(header::ACCEPT, "application/json")
//!     .header(header::CONTENT_TYPE, "application/json")
//!     .body(r#"{"clientId":"my-id","clientSecret":"my-secret","grant_type":"client_credentials"}"#.into())?;
//! let response = client.request(request).await?;
//!
//! assert_eq!(response.status(), StatusCode::BAD_REQUEST);
//! assert_eq!(
//!     bank.last_rejection().as_deref(),
//!     Some("the body has a field that the document does not have: grant_type"),
//! );
//! assert_eq!(bank.counters().token_rejections, 1);
//! # Ok(())
//! # })
//! # }
//! ```

mod acceptor;
mod api_request;
mod bank;
mod broken_body;
mod builder;
mod clock;
mod counters;
mod credentials;
mod expiry;
mod fault;
mod fields;
mod foreign;
mod handler;
mod rejected;
mod reply;
mod server;
mod specification;
#[cfg(feature = "testing-tls")]
mod tls;
mod token_request;
mod token_store;
mod unserved;

pub use bank::Bank;
pub use builder::BankBuilder;
pub use counters::BankCounters;
pub use expiry::ExpiresIn;
pub use fault::Fault;
pub use foreign::Foreign;
#[cfg(feature = "testing-tls")]
pub use tls::{Authority, Identity, Tls};
pub use unserved::Unserved;
