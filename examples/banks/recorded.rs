//! One provider of the catalogue, served from its recorded exchange.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tower_oauth::{
    SecretRef, SigningAlgorithm,
    client_credentials::{Dialect, ParamValue},
    provider::{self, Provider},
    testing::{Bank, Exchange, RecordedBank},
};

/// Serves the provider until ctrl-c, and prints how to call it.
pub(crate) async fn serve(name: &str, port: u16) -> io::Result<()> {
    let provider = provider::find(name).map_err(|error| wrong(error.rule()))?;
    let exchange = exchange(&file_of(name))?;
    let bank = Bank::from_exchange(exchange.clone(), port).await?;
    let key = KeyFile::of(&bank)?;
    println!(
        "{}\n\nOpen until ctrl-c.",
        call_line(provider, &exchange, &bank, key.as_ref())?
    );
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        () = report_differences(name, &bank) => Ok(()),
    }
}

/// The file with the key that signs the client's assertions, until the end.
struct KeyFile {
    path: PathBuf,
    algorithm: SigningAlgorithm,
}

impl KeyFile {
    fn of(bank: &RecordedBank) -> io::Result<Option<Self>> {
        let Some(key) = bank.client_key() else {
            return Ok(None);
        };
        let name = format!("tower-oauth-banks-{}.pem", std::process::id());
        let file = Self {
            path: env::temp_dir().join(name),
            algorithm: key.algorithm(),
        };
        fs::write(&file.path, key.pem())?;
        Ok(Some(file))
    }

    fn options(&self) -> String {
        format!(" --alg {} --key '{}'", self.algorithm, self.path.display())
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Prints what differs from the exchange, soon after the request.
async fn report_differences(name: &str, bank: &RecordedBank) {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut shown = 0;
    loop {
        ticks.tick().await;
        let differences = bank.differences();
        for difference in &differences[shown..] {
            eprintln!("{name}: {difference}");
        }
        shown = differences.len();
    }
}

fn file_of(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider/exchanges");
    folder.join(format!("{name}.txt"))
}

fn exchange(file: &Path) -> io::Result<Exchange> {
    let text = fs::read_to_string(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    Exchange::from_text(&text).map_err(|error| wrong(&format!("{}: {error}", file.display())))
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.to_owned())
}

/// Ready to be pasted into a shell.
fn call_line(
    provider: &Provider,
    exchange: &Exchange,
    bank: &RecordedBank,
    key: Option<&KeyFile>,
) -> io::Result<String> {
    let environment = exchange.setting("environment").unwrap_or("production");
    let dialect = provider.dialect(environment);
    let dialect = dialect.map_err(|error| wrong(error.rule()))?;
    let secret = exchange.setting("client_secret");
    let secret = secret.map(|it| format!("OAUTH_CLIENT_SECRET={it} "));
    let scopes = exchange.setting("scopes").unwrap_or_default();
    let scopes = scopes.split_whitespace().map(|it| format!(" --scope {it}"));
    Ok(format!(
        "{}{}cargo run --example call -- --provider {} --env {environment} --token-url '{}' --origin {} --client-id {}{}{} {}",
        secret.unwrap_or_default(),
        variables(exchange, &dialect),
        provider.name(),
        bank.token_url(),
        bank.origin(),
        exchange.setting("client_id").unwrap_or("me"),
        scopes.collect::<String>(),
        key.map(KeyFile::options).unwrap_or_default(),
        bank.api_url(),
    ))
}

/// The variables that the data file refers to, with the values of the exchange.
fn variables(exchange: &Exchange, dialect: &Dialect) -> String {
    let kinds = [
        ("token_header", &dialect.token_headers),
        ("token_param", &dialect.token_params),
        ("header_value", &dialect.header_values),
    ];
    let mut variables: Vec<String> = Vec::new();
    for (kind, known) in kinds {
        for (name, value) in exchange.settings(kind).filter_map(|it| it.split_once('=')) {
            if let Some(ParamValue::Reference(SecretRef::Env(variable))) = known.get(name) {
                variables.push(format!("{variable}='{value}' "));
            }
        }
    }
    variables.sort();
    variables.dedup();
    variables.concat()
}
