//! The four embedded banks on loopback, until stopped with ctrl-c, for `call` and for services under test.
//!
//! ```sh
//! cargo run --example banks -- --port 9200
//! ```
//!
//! It prints a command line of `call` for each.

use std::{io, process::ExitCode};

use clap::Parser;
use tower_oauth::testing::Bank;

/// Serves the four embedded banks on loopback until stopped, and prints for each how to call it.
#[derive(Debug, Parser)]
#[command(name = "banks")]
struct Args {
    /// The first bank's port; the others are on the next three
    #[arg(long, default_value_t = 9200, value_parser = clap::value_parser!(u16).range(1..=65532))]
    port: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("banks: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: &Args) -> io::Result<()> {
    let builders = [
        Bank::anbima(),
        Bank::avista(),
        Bank::conta_simples(),
        Bank::bankly(),
    ];
    let mut banks = Vec::new();
    for (builder, port) in builders.into_iter().zip(args.port..) {
        banks.push(builder.port(port).start().await?);
    }
    for bank in &banks {
        println!("{}\n", call_line(bank));
    }
    println!("Open until ctrl-c.");
    tokio::signal::ctrl_c().await
}

/// Ready to be pasted into a shell.
fn call_line(bank: &Bank) -> String {
    let scope = match bank.name() {
        "bankly" => " --scope boleto.read",
        _ => "",
    };
    format!(
        "OAUTH_CLIENT_SECRET={} cargo run --example call -- --provider {} --token-url {} --origin {} --client-id {}{scope} {}",
        bank.client_secret(),
        bank.name(),
        bank.token_url(),
        bank.api_origin(),
        bank.client_id(),
        bank.api_url(),
    )
}
