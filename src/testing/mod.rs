//! The four banks as strict servers on loopback, to test your own service against.
//!
//! Each checks a token request against the bank's document: method, path, media type, fields and the exact bytes of the
//! credentials. It denies a request with a field more or fewer. [`Bank::last_error`] returns the reason, and
//! [`BankBuilder::on_unserved`] reports it at once. Tokens expire and can be revoked, and the API checks them on every
//! request. A [`Fault`] spoils answers of the token endpoint or of the API. A [`Foreign`] host shows whether a secret
//! leaked.
//!
//! | | token endpoint | accepts any valid token | answers 403 |
//! |---|---|---|---|
//! | [ANBIMA](Bank::anbima) | `/oauth/access-token` | `/feed/precos-indices/v1/…` | `/feed/fundos/v1/…` (plan) |
//! | [Avista](Bank::avista) | `/oauth/token` | `/cob/…` | `/webhook/…` (scope `webhook:write`) |
//! | [Conta Simples](Bank::conta_simples) | `/oauth/v1/access-token` | `/statements/v1/credit-card/…` | `/transfers/v1/…` |
//! | [Bankly](Bank::bankly) | `/connect/token`, `/oauth2/token` (mTLS) | `/accounts/…` | `/cards/…` (scope `card.read`) |
//!
//! Every token request must have `Accept: application/json` and a `Content-Length`. A route of the API answers any
//! method with a JSON echo of `method`, `path`, `length` and `body`, and with the `client_id` that the token was issued
//! to. [`BankBuilder::route`] adds a route.
//!
//! A bank knows one client. [`BankBuilder::clients`] adds thousands of them, and [`Bank::client`] looks at one.
//! [`BankBuilder::token_rate`] limits the rate of token requests.
//!
//! With the feature `jwt` a bank can require a signed assertion in place of a secret (`BankBuilder::assertions`).
//!
//! With the feature `testing-tls` a bank can use TLS (`BankBuilder::tls`), with certificates made for the test.
//! Bankly's second token endpoint requires a client certificate, so it denies every request without TLS.
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
//! // Avista's document has no grant type, so the bank denies a request that has one.
//! let request = Request::post(bank.token_url())
//!     .header(header::ACCEPT, "application/json")
//!     .header(header::CONTENT_TYPE, "application/json")
//!     .body(r#"{"clientId":"my-id","clientSecret":"my-secret","grant_type":"client_credentials"}"#.into())?;
//! let response = client.request(request).await?;
//!
//! assert_eq!(response.status(), StatusCode::BAD_REQUEST);
//! assert_eq!(
//!     bank.last_error().as_deref(),
//!     Some("the body has a field that the document does not have: grant_type"),
//! );
//! assert_eq!(bank.counters().token_denials, 1);
//! # Ok(())
//! # })
//! # }
//! ```

mod acceptor;
mod api_request;
#[cfg(feature = "jwt")]
mod assertions;
mod bank;
mod broken_body;
mod builder;
mod clients;
mod clock;
mod counters;
mod error_answer;
mod exchange;
mod expiry;
mod fault;
mod fields;
mod foreign;
mod handler;
mod reply;
mod server;
mod specification;
#[cfg(feature = "testing-tls")]
mod tls;
mod token_rate;
mod token_request;
mod token_store;
mod unserved;

#[cfg(feature = "jwt")]
pub use assertions::{Assertions, ClientKey};
pub use bank::Bank;
pub use builder::BankBuilder;
pub use clients::BankClient;
pub use counters::{BankCounters, CertificateUse, ClientCounters};
pub use exchange::{Exchange, RecordedAnswer, RecordedBank};
pub use expiry::ExpiresIn;
pub use fault::Fault;
pub use foreign::Foreign;
#[cfg(feature = "testing-tls")]
pub use tls::{Authority, ClientCertificateBuilder, Identity, Tls};
pub use unserved::Unserved;
