//! What a token source promises, on a paused clock: freshness, one fetch at a time, back-off, rejections.

#[path = "../support/mod.rs"]
mod support;

mod ambiguous_rejection;
mod back_off;
mod clocks;
mod countdown;
mod credential;
mod ending;
mod errors;
mod fetcher;
mod freezes;
mod freshness;
mod health;
mod keep_fresh;
mod last_fetch;
mod lifetimes;
mod metrics;
mod on_runtimes;
mod refresh;
mod rejection;
mod repeated_tokens;
mod restraint;
mod retry;
mod runtimes;
mod secrets;
mod signers;
mod single_flight;
mod status;
mod stopped;
mod taken_over;
mod time_outs;
mod token_endpoint;
mod token_request_interval;
mod tracing;
