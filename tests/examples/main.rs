//! The examples as a user runs them.

mod axum_service;
mod call;
mod guides;
mod rotate_certificates;
mod soak;
