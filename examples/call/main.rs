//! Calls a real bank, or any OAuth server, with real credentials.
//!
//! ```sh
//! OAUTH_CLIENT_SECRET=… cargo run --example call -- --provider bankly --client-id … --scope boleto.read \
//!     https://api.sandbox.bankly.com.br/bankslip
//! ```
//!
//! `--help` says the rest.

mod api;
mod args;
mod pace;
mod report;
mod run;
mod source;
mod tally;
mod tls;

use std::{io, process::ExitCode};

use clap::Parser;

use crate::{api::Api, args::Args};

/// For a usage or configuration error, as clap has it.
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let api = match Api::open(&args) {
        Ok(api) => api,
        Err(error) => {
            eprintln!("call: {error}\n      Nothing was sent. See --help.");
            return ExitCode::from(USAGE);
        }
    };
    call(api, &args).await.unwrap_or_else(|error| {
        eprintln!("call: the figures could not be written: {error}");
        ExitCode::FAILURE
    })
}

async fn call(api: Api, args: &Args) -> io::Result<ExitCode> {
    let tally = run::run(api.service, args).await;
    report::advice(&tally);
    report::figures(&tally, &api.source.status())?;
    Ok(match tally.all_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
