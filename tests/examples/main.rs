//! The examples as a user runs them.

mod axum_service;
mod call;
mod guides;
mod soak;
