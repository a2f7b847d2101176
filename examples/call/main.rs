//! Calls a real bank, or any OAuth server, with real credentials.
//!
//! ```sh
//! OAUTH_CLIENT_SECRET=… cargo run --example call -- --provider bankly --client-id … --scope boleto.read \
//!     https://api.sandbox.bankly.com.br/bankslip
//! ```
//!
//! `--help` says the rest.

mod advice;
mod api;
mod args;
mod cause;
mod check;
mod dialect;
mod list;
mod pace;
mod report;
mod run;
mod signing;
mod source;
mod tally;
mod terminal;
mod tls;
mod warnings;

use std::{io, process::ExitCode};

use http::Uri;

use crate::{advice::Advice, api::Api, args::Args, terminal::say};

/// For a usage or configuration error, as clap has it.
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::from_command_line();
    warnings::show();
    let outcome = match &args.url {
        _ if args.check => check::check(&args).await,
        Some(url) => call(&args, url).await,
        None => unreachable!("only --check does without it"),
    };
    outcome.unwrap_or_else(|error| {
        say(format!("call: the figures could not be written: {error}"));
        ExitCode::FAILURE
    })
}

async fn call(args: &Args, url: &Uri) -> io::Result<ExitCode> {
    let api = match Api::open(args, url) {
        Ok(api) => api,
        Err(error) => {
            say(format!(
                "call: {error}\n      Nothing was sent. See --help."
            ));
            return Ok(ExitCode::from(USAGE));
        }
    };
    let tally = run::run(api.service, args, url).await;
    let status = api.source.status();
    let advice = Advice::new(args, &status);
    advice.on(&tally).into_iter().for_each(say);
    report::figures(&tally, &status)?;
    Ok(match tally.all_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
