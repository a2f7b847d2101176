//! The examples as a user runs them.

#[path = "../support/mod.rs"]
mod support;

mod axum_service;
mod call;
mod guides;
mod rotate_certificates;
mod soak;
mod tenants;
