//! Token endpoints that mean harm, over real sockets, through hyper and through reqwest: nothing hangs past its bound,
//! memory stays bounded, and the source recovers by itself.
//!
//! `.ci/hostile` runs it and prints what was tried.

#[path = "../support/mod.rs"]
mod support;

mod client;
mod faults;
mod peer;
mod script;

mod connections;
mod every_fault;
mod floods;
mod hold_ups;
mod http2;
mod late;
mod tls;
