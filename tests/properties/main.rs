//! What holds for any input: what is written can be read back, by strangers and by the crate itself.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod contributing;
mod no_secrets;
mod tracing;

#[allow(unreachable_pub, reason = "the fuzz targets' own crate exports it")]
mod decode;
mod dialects;
mod echoes;
mod headers;
mod operate;
mod origins;
mod requests;
mod transport;

use proptest::test_runner::{Config, RngSeed};

/// The same cases every time; `PROPTEST_CASES` makes them more.
fn config() -> Config {
    Config {
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    }
}

/// Runs a future on clocks that are paused.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}
