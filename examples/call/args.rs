//! The command line.

use std::{env, path::PathBuf, time::Duration};

use clap::{
    ArgGroup, Parser, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};
use http::{HeaderName, HeaderValue, Method, Uri};
use tower_oauth::{
    Origin, SigningAlgorithm,
    provider::{self, Provider},
};

use crate::{list, signing::claim};

/// Calls an API with a token that the crate fetches and refreshes. It reads the client's secret from the variable
/// OAUTH_CLIENT_SECRET, or from the file of --secret-file.
///
/// The answer of a single call, warnings and advice go to standard error. At the end, one JSON object goes to standard
/// output. Exit status: 0 if every request got a 2xx, 1 if not, 2 for a usage or configuration error, before anything
/// is sent.
///
/// With --check it walks the way step by step in place of that, to the token endpoint and to the API: name, TCP, TLS,
/// client certificate, clock, token request, life and scopes of the token, and one call. Each step has a verdict, and
/// a remedy where it needs one. Exit status: 0 if no step failed, 1 if one did, 2 as above.
#[derive(Debug, Parser)]
#[command(name = "call", group = ArgGroup::new("how").args(["provider", "dialect"]).required(true),
    group = ArgGroup::new("key_use").args(["cert", "alg"]).multiple(true))]
pub(crate) struct Args {
    /// The absolute URL to call, at an origin that the token may be sent to; --check can do without
    #[arg(required_unless_present = "check")]
    pub(crate) url: Option<Uri>,

    #[command(flatten)]
    pub(crate) bank: BankArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,

    /// The HTTP client, for the token endpoint and the API; both speak HTTP/2 where the server offers it
    #[arg(long, value_enum, default_value_t = ClientKind::Hyper)]
    pub(crate) client: ClientKind,
    /// Check the way to the token endpoint and to the API, step by step, on standard output
    #[arg(long, conflicts_with_all = ["requests", "concurrency", "rate", "duration"])]
    pub(crate) check: bool,
    /// Write what --check found as one JSON object
    #[arg(long, requires = "check")]
    pub(crate) json: bool,
    /// List the providers on standard output, as one JSON array, and exit
    #[arg(long, exclusive = true)]
    list: bool,
    /// Show the token requests and their answers on standard error, without secrets and tokens
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl Args {
    /// Ends the process if the command line is wrong, or asks for help.
    pub(crate) fn from_command_line() -> Self {
        // Alone it needs no address and no client, which everything else does.
        if env::args_os().skip(1).eq(["--list"]) {
            list::show_and_exit();
        }
        Self::try_parse().unwrap_or_else(|error| without_values(error).exit())
    }
}

/// An option's value may be a secret, and so may be an argument that belongs to no option.
fn without_values(mut error: clap::Error) -> clap::Error {
    let elided = || ContextValue::String("[elided]".into());
    if error.get(ContextKind::InvalidValue).is_some() {
        error.insert(ContextKind::InvalidValue, elided());
    }
    let is_option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.starts_with("--"),
        _ => true,
    };
    if error.kind() == ErrorKind::UnknownArgument && !is_option {
        error.insert(ContextKind::InvalidArg, elided());
        error.remove(ContextKind::Suggested);
    }
    error
}

/// The provider and the client.
#[derive(Debug, clap::Args)]
pub(crate) struct BankArgs {
    /// A built-in provider; see --list
    #[arg(long, value_name = "NAME", value_parser = provider)]
    pub(crate) provider: Option<&'static Provider>,
    /// Another provider: a TOML file with its dialect
    #[arg(long, value_name = "FILE")]
    pub(crate) dialect: Option<PathBuf>,
    /// The provider's environment [default: sandbox, else homologation, else its first; see --list]
    #[arg(long, conflicts_with = "dialect")]
    pub(crate) env: Option<String>,
    /// The token endpoint, in place of the provider's
    #[arg(long, value_name = "URL")]
    pub(crate) token_url: Option<String>,
    /// An origin that the token may be sent to, in place of the provider's; may be repeated
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Vec<Origin>,
    /// The client's id
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: String,
    /// The file that has the client's secret, in place of the variable; read again before each token request
    #[arg(long, value_name = "FILE", conflicts_with = "alg")]
    pub(crate) secret_file: Option<PathBuf>,
    /// A Redis in which replicas share the token, such as rediss://host:6379; the sealing key is read from the variable
    /// OAUTH_STORE_KEY (32 bytes, base64)
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// What to do while that store is down [default: fetch-alone, except at a provider with one active token]
    #[arg(long, value_enum, requires = "store")]
    pub(crate) when_store_is_down: Option<WhenDown>,
    /// A scope to ask for; may be repeated
    #[arg(long, value_name = "S")]
    pub(crate) scope: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TlsArgs {
    /// A PEM file of certificate authorities to trust, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// The client certificate with its chain, for the token endpoint and the API: PEM, or PKCS #12 in a file that ends
    /// in .p12 or .pfx. Without --key, the file has the key too. The password of an archive or of an encrypted key is
    /// read from the variable OAUTH_CERT_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// A PEM file of the client certificate's key, if --cert does not contain it; with --alg, the key that signs the
    /// client's assertion (PEM or JWK)
    #[arg(long, value_name = "FILE", requires = "key_use")]
    pub(crate) key: Option<PathBuf>,
}

/// With --key and --alg, a signed assertion authenticates the client, and the secret is not read.
#[derive(Debug, clap::Args)]
pub(crate) struct SigningArgs {
    /// The algorithm of the client's assertion: PS256, RS256, ES256 or EdDSA
    #[arg(long, value_name = "ALG", requires = "key")]
    pub(crate) alg: Option<SigningAlgorithm>,
    /// The assertion's `kid` [default: the dialect's, or the JWK's]
    #[arg(long, requires = "alg")]
    pub(crate) kid: Option<String>,
    /// The assertion's `aud` [default: the dialect's, or the token URL]
    #[arg(long, value_name = "TEXT", requires = "alg")]
    pub(crate) audience: Option<String>,
    /// A further claim of the assertion, such as realm=stone_bank; may be repeated
    #[arg(long, value_name = "K=V", requires = "alg", value_parser = claim)]
    pub(crate) claim: Vec<(String, String)>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RequestArgs {
    /// The method [default: GET, with --data POST]
    #[arg(long)]
    pub(crate) method: Option<Method>,
    /// A header, such as content-type:application/json; may be repeated
    #[arg(long, value_name = "K:V", value_parser = header)]
    pub(crate) header: Vec<(HeaderName, HeaderValue)>,
    /// The body
    #[arg(long)]
    pub(crate) data: Option<String>,
    /// Do not send a rejected request again with a new token
    #[arg(long)]
    pub(crate) no_retry: bool,
    /// After an ambiguous rejection (ANBIMA's 403), send a request of any method again, not only GET, HEAD and OPTIONS
    #[arg(long, conflicts_with = "no_retry")]
    pub(crate) danger_retry_any_method: bool,
}

/// Without `-n` and `--duration`: one request, whose response body goes to standard error.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// The number of requests [default: 1; no limit with --duration]
    #[arg(short = 'n', value_name = "REQUESTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) requests: Option<u64>,
    /// The number of requests at a time
    #[arg(short, value_name = "CONCURRENCY", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) concurrency: u16,
    /// The highest number of requests per second
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Start no request after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// The time-out of one request in seconds, its wait for a token included
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum WhenDown {
    FetchAlone,
    Fail,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ClientKind {
    Hyper,
    Reqwest,
}

impl LoadArgs {
    /// `None`: the duration alone ends the load.
    pub(crate) fn limit(&self) -> Option<u64> {
        match self.duration {
            Some(_) => self.requests,
            None => Some(self.requests.unwrap_or(1)),
        }
    }

    /// Whether it is a single call, made to see what comes back.
    pub(crate) fn is_single(&self) -> bool {
        self.requests.is_none() && self.duration.is_none()
    }
}

/// The error lists those there are and names the nearest.
fn provider(name: &str) -> Result<&'static Provider, String> {
    provider::find(name).map_err(|error| error.rule().to_owned())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("must be written NAME:VALUE")?;
    let name = name.trim().parse();
    let value = value.trim().parse();
    match (name, value) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        (Err(_), _) => Err("the name is no header name".into()),
        (_, Err(_)) => Err("the value holds what no header may hold".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "must be a number")?;
    // Beyond that, the time between two requests is shorter than a clock can measure.
    if (1e-6..=1e6).contains(&rate) {
        return Ok(rate);
    }
    Err("must be above zero, and at most a million".into())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number of seconds")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be above zero".into()),
    }
}
