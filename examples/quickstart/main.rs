//! What the crate does, in a few seconds: hyper and reqwest call four test banks on loopback through the layer.
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! Exit status 1 if a check failed.

mod report;
mod scenes;
mod setup;

use std::process::ExitCode;

use tower_oauth::BoxError;

use self::report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(report) => report.finish(),
        Err(error) => {
            eprintln!("quickstart could not run: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Report, BoxError> {
    let mut report = Report::start();
    report
        .scene(
            "1. Cold start: 1,000 requests arrive at once, and there is no token yet.",
            "All of them wait for one token request. (A debug build takes a second or two for 4,000 requests.)",
            scenes::cold_start,
        )
        .await?;
    report
        .scene(
            "2. Refresh under load: a token lives 2 s, and the token endpoint takes 300 ms.",
            "Each token is replaced before it ends, so no request waits for a token.",
            scenes::refresh_under_load,
        )
        .await?;
    report
        .scene(
            "3. Revocation: the bank revokes the token, then 100 requests arrive.",
            "The rejected requests wait for one new token and are sent again with it. They wait up to a second here,\n\
             because two fetches start at least a second apart, and the first was made just before. A service that\n\
             fetched its token longer ago gets the new one at once.",
            scenes::revocation,
        )
        .await?;
    report
        .scene(
            "4. Outage: the token endpoint answers 503.",
            "Requests succeed until the token expires. Then they get an error that says when the next attempt is made.\n\
             After the bank is back, `retry_now()` makes that attempt at once, and requests succeed again.",
            scenes::outage,
        )
        .await?;
    report
        .scene(
            "5. A 403 that no new token can fix: 70 forbidden requests, and 50 good ones between them.",
            "ANBIMA answers 403 to a revoked token as well. There one fetch, a second after the first, shows that\n\
             the token was good. At the other banks a 403 costs no fetch.",
            scenes::forbidden,
        )
        .await?;
    Ok(report)
}
