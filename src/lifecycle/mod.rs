//! A token's life, from its fetch to its replacement.
//!
//! ```text
//! source ──> core ──> cell      what requests read
//!              │ └──> state     what is decided under the lock, with policy and restraint
//!              └────> fetch     the single-flight operation: its task, its drivers, its waiters
//! ```
//!
//! `endpoint` is what the sources of one token endpoint share. `requests` is what the core does for a request. `guard` keeps the source alive through one.

mod bound;
mod builder;
mod cell;
mod changes;
mod clock;
mod core;
mod credential;
mod endpoint;
mod fetch;
mod guard;
mod health;
mod keep_fresh;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(all(test, tower_oauth_loom))]
mod models;
mod prepared;
mod requests;
mod restraint;
mod source;
mod state;
mod status;
mod sync;
mod telemetry;

pub use builder::TokenSourceBuilder;
pub use cell::IssuedToken;
pub use changes::Changes;
pub use clock::Clock;
#[cfg(feature = "rustls")]
pub(crate) use core::CertificateInUse;
pub use endpoint::{TokenEndpoint, TokenEndpointBuilder, TokenEndpointStatus};
pub(crate) use guard::Guard;
pub use health::{Health, HealthIssue, HealthIssueKind, SourceHealth};
pub(crate) use requests::Rejected;
pub use source::TokenSource;
#[cfg(feature = "rustls")]
pub(crate) use source::WeakTokenSource;
#[cfg(feature = "pool")]
pub(crate) use status::Summary;
pub use status::{CertificateStatus, Counters, LastFailure, SourceState, Status};
