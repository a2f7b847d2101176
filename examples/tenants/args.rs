use clap::Parser;

/// Runs one process with many customers at a bank on loopback, and checks what the pool promises.
#[derive(Debug, Parser)]
#[command(name = "tenants")]
pub(crate) struct Args {
    /// How many customers there are at the start
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(20..=20_000))]
    pub(crate) customers: u32,
    /// How many token requests the bank allows in a second
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(10..))]
    pub(crate) rate: u32,
    /// How many token requests in a second the client is told that the bank allows [default: the bank's rate]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    client_rate: Option<u32>,
    /// Which customers do what
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Args {
    pub(crate) fn from_command_line() -> Self {
        Self::parse()
    }

    pub(crate) fn client_rate(&self) -> u32 {
        self.client_rate.unwrap_or(self.rate)
    }
}
