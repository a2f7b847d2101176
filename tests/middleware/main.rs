//! The layer as a Tower service, and its counterpart for `reqwest-middleware`.

#[path = "../support/mod.rs"]
mod support;

mod from_extension;
mod headers;
mod hit_path;
mod origins;
mod permits;
mod redirects;
mod relative_uris;
mod reqwest_middleware;
mod resendable_body;
mod tower_contract;
mod tower_stack;
mod type_promises;
