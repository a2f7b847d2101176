//! The four embedded banks on loopback, until stopped with ctrl-c, for `call` and for services under test.
//!
//! ```sh
//! cargo run --example banks -- --port 9200
//! ```
//!
//! It prints a command line of `call` for each bank. For each request that a bank does not serve, it prints a line with
//! the reason on standard error. With `--tls DIR` the banks use TLS and require a client certificate; DIR has the
//! certificate, its key and the authority to trust. With `--chaos SEED` the banks get random faults, and at the end
//! there is a JSON object for each bank that lists them.

mod chaos;
mod log;
mod recorded;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    time::Duration,
};

use clap::Parser;
use futures_util::future::join_all;
use tower_oauth::testing::{Authority, Bank, BankBuilder, Tls};

use crate::{
    chaos::Chaos,
    log::{Log, watch},
};

/// Runs the four embedded banks on loopback until stopped, and prints how to call each.
#[derive(Debug, Parser)]
#[command(name = "banks")]
struct Args {
    /// The first bank's port; the others use the next three. With 0, each uses a free port
    #[arg(long, default_value_t = 9200, value_parser = clap::value_parser!(u16).range(0..=65532))]
    port: u16,
    /// Use TLS and require a client certificate; write ca.pem, client.pem and client.key to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "provider")]
    tls: Option<PathBuf>,
    /// Serve only this provider of the catalogue, from its recorded exchange; `call --list` lists the names
    #[arg(long, value_name = "NAME", conflicts_with_all = ["lifetime", "chaos"])]
    provider: Option<String>,
    /// The lifetime of a token in seconds [default: that of the bank's document]
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u64>,
    /// Add random faults, outages and revocations, drawn from this seed
    #[arg(long, value_name = "SEED", requires = "lifetime")]
    chaos: Option<u64>,
}

impl Args {
    fn lifetime(&self) -> Option<Duration> {
        self.lifetime.map(Duration::from_secs)
    }
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
    if let Some(provider) = &args.provider {
        return recorded::serve(provider, args.port).await;
    }
    let banks = open(args).await?;
    for bank in &banks {
        println!("{}\n", call_line(bank, args.tls.as_deref()));
    }
    println!("Open until ctrl-c.");
    match (args.chaos, args.lifetime()) {
        (Some(seed), Some(lifetime)) => in_chaos(&banks, seed, lifetime).await,
        _ => tokio::signal::ctrl_c().await,
    }
}

async fn in_chaos(banks: &[Bank], seed: u64, lifetime: Duration) -> io::Result<()> {
    let logs: Vec<_> = banks.iter().map(|_| Mutex::new(Log::open())).collect();
    let each = || banks.iter().zip(&logs);
    let chaos = each().zip(0..).map(|((bank, log), index)| {
        let outages = index % 2 == 1;
        Chaos::new(bank, log, seed.wrapping_add(index), outages).rage()
    });
    let watched = each().map(|(bank, log)| watch(bank, log, lifetime));
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = join_all(chaos) => {}
        _ = join_all(watched) => {}
    }
    for (bank, log) in each() {
        let mut log = log.lock().expect("no panic while it is locked");
        println!("{}", log.report(bank));
    }
    Ok(())
}

async fn open(args: &Args) -> io::Result<Vec<Bank>> {
    let tls = args.tls.as_deref().map(certified).transpose()?;
    let builders = [
        Bank::anbima(),
        Bank::avista(),
        Bank::conta_simples(),
        Bank::bankly(),
    ];
    let mut banks = Vec::new();
    for (builder, next) in builders.into_iter().zip(0..) {
        let port = match args.port {
            0 => 0,
            first => first + next,
        };
        let builder = tls.clone().into_iter().fold(builder, BankBuilder::tls);
        let builder = args
            .lifetime()
            .into_iter()
            .fold(builder, BankBuilder::lifetime);
        // Chaos has its own report, and its revocations cause many rejections.
        let builder = match args.chaos {
            None => builder.on_unserved(|unserved| eprintln!("{unserved}")),
            Some(_) => builder,
        };
        let opened = builder.port(port).start().await;
        banks.push(opened.map_err(|error| unopened(port, &error))?);
    }
    Ok(banks)
}

fn unopened(port: u16, error: &io::Error) -> io::Error {
    let text = format!("port {port}: {error}; choose others with --port");
    io::Error::new(error.kind(), text)
}

/// Creates an authority, and writes the client's files to the folder.
fn certified(folder: &Path) -> io::Result<Tls> {
    let authority = Authority::new()?;
    let client = authority.client("call")?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("ca.pem"), authority.certificate_pem())?;
    fs::write(folder.join("client.pem"), client.certificate_pem())?;
    fs::write(folder.join("client.key"), client.key_pem())?;
    Tls::new(&authority)
}

/// Ready to be pasted into a shell.
fn call_line(bank: &Bank, tls: Option<&Path>) -> String {
    let scope = match bank.name() {
        "bankly" => " --scope boleto.read",
        _ => "",
    };
    let (secret, token_url) = match (tls, bank.mtls_token_url()) {
        // The certificate takes the secret's place.
        (Some(_), Some(url)) => ("env -u OAUTH_CLIENT_SECRET".to_owned(), url),
        _ => (
            format!("OAUTH_CLIENT_SECRET={}", bank.client_secret()),
            bank.token_url(),
        ),
    };
    format!(
        "{secret} cargo run --example call -- --provider {} --token-url {token_url} --origin {} --client-id {}{scope}{} {}",
        bank.name(),
        bank.api_origin(),
        bank.client_id(),
        tls.map(tls_options).unwrap_or_default(),
        bank.api_url(),
    )
}

fn tls_options(folder: &Path) -> String {
    let file = |name| folder.join(name).display().to_string();
    format!(
        " --cacert {} --cert {} --key {}",
        file("ca.pem"),
        file("client.pem"),
        file("client.key")
    )
}
