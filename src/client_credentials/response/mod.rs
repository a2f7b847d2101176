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

pub(super) use self::{
    answer::{Answer, Body, End},
    failure::CHECK_URL,
    reader::{Lifetimes, Reader},
    scrub::Scrubber,
};
