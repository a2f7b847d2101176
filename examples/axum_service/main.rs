//! An axum service that calls four banks through the layer.
//!
//! ```sh
//! cargo run --example axum_service             # serves until Ctrl-C or SIGTERM
//! cargo run --example axum_service -- --demo   # serves, calls every route once, stops
//! ```
//!
//! Its page `/` shows every token source while it runs.
//!
//! It needs no accounts: a bank without settings in the environment runs on loopback in this process. To call a real
//! one, set its `…_CLIENT_ID` and `…_CLIENT_SECRET`, such as `AVISTA_CLIENT_ID`. For a secret that changes while the
//! service runs, set `…_CLIENT_SECRET_FILE` in place of `…_CLIENT_SECRET`. `LISTEN` is the address of the service.
//! Default: `127.0.0.1:3000`. With `REDIS_URL` and `OAUTH_STORE_KEY` (32 bytes, base64) replicas share their tokens.
//!
//! Exit status 1 if something failed, 2 for wrong usage.

mod credentials;
mod demo;
mod environment;
mod service;

use std::{env, process::ExitCode};

use tokio::{net::TcpListener, signal};
use tower_oauth::BoxError;

use self::environment::Environment;

/// One per bank, and those for the operator.
const ROUTES: [&str; 10] = [
    "/prices/debentures",
    "/cob/7978c0c97ea847e78e8849634473c1f1",
    "/statements/main",
    "/accounts/1234",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/status",
    "/",
];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let result = match &arguments[..] {
        [] => run().await,
        [flag] if flag == "--demo" => demo::run().await,
        _ => {
            eprintln!("usage: axum_service [--demo]");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("axum_service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let environment = Environment::open().await?;
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    for route in ROUTES {
        println!("curl -i http://{address}{route}");
    }
    service::serve(listener, environment.banks.clone(), stop_signal()).await?;
    Ok(())
}

/// Ctrl-C, or the signal of a container's supervisor.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened to");
        tokio::select! {
            _ = signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = signal::ctrl_c().await;
}
