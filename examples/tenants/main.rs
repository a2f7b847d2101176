//! 2,000 customers of a platform at one bank, in one process, with one pool of token sources. The bank limits the rate of
//! token requests.
//!
//! ```sh
//! cargo run --example tenants
//! cargo run --example tenants -- --client-rate 800 # breaks a promise: twice the rate that the bank allows
//! ```
//!
//! The bank is the embedded one. Every response is checked for the customer as whom the request was sent. Exit status 1
//! if a promise broke.

mod args;
mod customers;
mod load;
mod report;
mod scenes;
mod stack;

use std::{process::ExitCode, sync::Arc};

use fastrand::Rng;
use tower_oauth::BoxError;

use crate::{args::Args, customers::Customers, load::Traffic, report::Report, stack::Stack};

/// On one thread, so that the clock of the pool can be moved forward: see [`scenes::idle`].
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, BoxError> {
    let args = Args::from_command_line();
    let customers = Customers::new(args.customers, &mut Rng::with_seed(args.seed));
    let stack = Arc::new(Stack::start(&args, &customers).await?);
    let mut report = Report::new();

    scenes::cold_start(&stack, &customers, &mut report).await;
    let traffic = Traffic::start(&stack, customers.busy.clone());
    scenes::steady(&stack, &traffic, &mut report).await;
    scenes::revoked(&stack, &traffic, customers.busy[0], &mut report).await;
    scenes::wrong_secret(&stack, &traffic, customers.mistaken, &mut report).await;
    scenes::too_many_requests(&stack, &traffic, &customers.held_back, &mut report).await;
    traffic.end().await;
    scenes::idle(&stack, &customers, &mut report).await;
    scenes::back_again(&stack, &customers.quiet, &mut report).await;
    scenes::full(&stack, &customers, &mut report).await;
    scenes::all(&stack, &mut report);
    scenes::end(stack, &mut report).await;
    Ok(report.finish())
}
