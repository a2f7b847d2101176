//! The life of a token, from the fetch that brings it to the one that replaces it.
//!
//! ```text
//! source ──> core ──> cell       what requests read
//!              │ └──> state      what is decided under the lock, by policy, restraint and driving
//!              └────> refresh    starts a flight, and waits for it
//!                       └──> driver   what a flight does, on the fetcher; and how it lands
//! ```

mod bound;
mod builder;
mod cell;
mod changes;
mod clock;
mod core;
mod driver;
mod driving;
mod flight;
mod handle;
mod keep_fresh;
mod landing;
#[cfg(all(test, tower_oauth_loom))]
mod models;
mod policy;
mod prepared;
mod refresh;
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
pub(crate) use handle::Refused;
pub use policy::{BackOff, Policy};
pub(crate) use source::Hold;
pub use source::TokenSource;
pub use status::{CountersSnapshot, LastFailure, SourceState, Status};
