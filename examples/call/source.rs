//! The token source that the arguments describe.

use std::{env, fs, path::Path};

use tower_oauth::{
    BoxError, ClientId, ClientSecret, SecretRef,
    client_credentials::{ClientCredentialsBuilder, Dialect},
    provider::{anbima, avista, bankly, conta_simples},
};

use crate::args::{BankArgs, Env, Provider};

const SECRET: &str = "OAUTH_CLIENT_SECRET";

/// A preset: what a provider's module offers for one environment.
type Preset = fn(ClientId, ClientSecret) -> ClientCredentialsBuilder;

/// The source without its transport. `by_certificate`: the client has a certificate to show.
pub(crate) fn builder(
    args: &BankArgs,
    by_certificate: bool,
) -> Result<ClientCredentialsBuilder, BoxError> {
    let id = ClientId::new(&args.client_id)?;
    let mut builder = match (args.provider, &args.dialect) {
        (Some(Provider::Bankly), _) if by_certificate && env::var_os(SECRET).is_none() => {
            bankly_by_certificate(id, args)?
        }
        (Some(provider), _) => preset(provider, args.env)?(id, secret()?),
        (None, Some(file)) => from_file(file, id)?,
        (None, None) => return Err("name a --provider or a --dialect".into()),
    };
    builder = builder.scopes(&args.scope);
    if let Some(url) = &args.token_url {
        builder = builder.token_url(url);
    }
    let origins = args.origin.iter().map(ToString::to_string);
    Ok(origins.fold(builder, ClientCredentialsBuilder::origin))
}

fn preset(provider: Provider, env: Option<Env>) -> Result<Preset, BoxError> {
    Ok(match (provider, env.unwrap_or(default_env(provider))) {
        (Provider::Anbima, Env::Sandbox) => anbima::sandbox,
        (Provider::Anbima, Env::Production) => anbima::production,
        (Provider::Avista, Env::Production) => avista::production,
        (Provider::Avista, Env::Sandbox) => {
            return Err("avista has no sandbox: leave --env out, or say --env production".into());
        }
        (Provider::ContaSimples, Env::Sandbox) => conta_simples::sandbox,
        (Provider::ContaSimples, Env::Production) => conta_simples::production,
        (Provider::Bankly, Env::Sandbox) => bankly::sandbox,
        (Provider::Bankly, Env::Production) => bankly::production,
    })
}

fn default_env(provider: Provider) -> Env {
    match provider {
        Provider::Avista => Env::Production,
        Provider::Anbima | Provider::ContaSimples | Provider::Bankly => Env::Sandbox,
    }
}

/// Bankly's other token endpoint, which takes the certificate in place of a secret.
fn bankly_by_certificate(
    id: ClientId,
    args: &BankArgs,
) -> Result<ClientCredentialsBuilder, BoxError> {
    match (args.env, &args.token_url) {
        (Some(Env::Production), Some(url)) => Ok(bankly::mtls(id, url)),
        (Some(Env::Production), None) => Err(
            "which host bankly's production hands out tokens at by mTLS is disputed: name it with --token-url".into(),
        ),
        (Some(Env::Sandbox) | None, _) => Ok(bankly::mtls_sandbox(id)),
    }
}

fn from_file(file: &Path, id: ClientId) -> Result<ClientCredentialsBuilder, BoxError> {
    let named = |error: &dyn std::fmt::Display| format!("--dialect {}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| named(&error))?;
    let dialect: Dialect = toml::from_str(&text).map_err(|error| named(&error))?;
    let builder = ClientCredentialsBuilder::new(dialect, id);
    // A dialect whose client proves itself by its certificate alone has no secret.
    match env::var_os(SECRET) {
        Some(_) => Ok(builder.secret(secret()?)),
        None => Ok(builder),
    }
}

fn secret() -> Result<ClientSecret, BoxError> {
    let secret = SecretRef::Env(SECRET.into()).resolve();
    secret.map_err(|_| format!("put the client's secret into the variable {SECRET}").into())
}
