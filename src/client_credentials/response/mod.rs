//! Reads the answer to a token request: a token, or a typed error that says what was wrong.

mod answer;
mod expiry;
mod failure;
mod granted;
pub(super) mod json;
mod members;
mod reader;
mod retry_after;
mod scrub;
mod skew;

#[cfg(feature = "rustls")]
pub(super) use self::failure::may_be_the_certificate;
pub(super) use self::{
    answer::{Answer, Body, End},
    failure::CHECK_URL,
    reader::{Asked, Lifetimes, Reader, Warned},
    scrub::Scrubber,
};
