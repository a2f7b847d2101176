//! A source for each of many customers, made on demand.

mod bank;
mod eviction;
mod failures;
mod keys;
mod lives;
mod shared;
mod slow_fetcher;
mod status;
