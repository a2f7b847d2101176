//! The token source that the arguments describe.

use std::{env, path::Path};

use tower_oauth::{
    BoxError, ClientId, ClientSecret, ConfigError,
    client_credentials::{ClientCredentialsBuilder, CredentialPlacement},
    provider::{self, Provider, bankly},
};

use crate::{args::BankArgs, dialect};

/// The variable that holds the client's secret.
pub(crate) const SECRET: &str = "OAUTH_CLIENT_SECRET";

/// The source without its transport. `by_certificate`: the client has a certificate to show.
pub(crate) fn builder(
    args: &BankArgs,
    by_certificate: bool,
) -> Result<ClientCredentialsBuilder, BoxError> {
    let id = ClientId::new(&args.client_id).map_err(|error| named(error, args))?;
    let mut builder = match (args.provider, &args.dialect) {
        (Some(provider), _)
            if provider.name() == "bankly" && by_certificate && env::var_os(SECRET).is_none() =>
        {
            bankly_by_certificate(id, args)?
        }
        (Some(provider), _) => preset(provider, args.env.as_deref(), id)?,
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

fn preset(
    provider: &Provider,
    env: Option<&str>,
    id: ClientId,
) -> Result<ClientCredentialsBuilder, BoxError> {
    let env = env.unwrap_or_else(|| default_env(provider));
    let by_certificate = matches!(
        provider.dialect(env)?.credentials,
        CredentialPlacement::IdOnly { .. }
    );
    let builder = provider.builder(env, id)?;
    // A client that its certificate alone proves has no secret.
    match by_certificate && env::var_os(SECRET).is_none() {
        true => Ok(builder),
        false => Ok(builder.secret(secret()?)),
    }
}

/// Tests come first: the sandbox, else homologation, else whatever the provider has.
pub(crate) fn default_env(provider: &Provider) -> &str {
    let has = |env: &&&str| provider.environments().any(|it| it == **env);
    let known = ["sandbox", "homologation"].iter().find(has).copied();
    known
        .or_else(|| provider.environments().next())
        .unwrap_or("production")
}

/// Bankly's other token endpoint, which takes the certificate in place of a secret.
fn bankly_by_certificate(
    id: ClientId,
    args: &BankArgs,
) -> Result<ClientCredentialsBuilder, BoxError> {
    match (args.env.as_deref(), &args.token_url) {
        (Some("production"), Some(url)) => Ok(bankly::mtls(id, url)),
        (Some("production"), None) => Err(
            "which host bankly's production hands out tokens at by mTLS is disputed: name it with --token-url".into(),
        ),
        (Some("sandbox" | "sandbox-mtls") | None, _) => Ok(bankly::mtls_sandbox(id)),
        (Some(env), _) => preset(provider::find("bankly")?, Some(env), id),
    }
}

fn from_file(file: &Path, id: ClientId) -> Result<ClientCredentialsBuilder, BoxError> {
    let builder = ClientCredentialsBuilder::new(dialect::read(file)?, id);
    // A dialect whose client proves itself by its certificate alone has no secret.
    match env::var_os(SECRET) {
        Some(_) => Ok(builder.secret(secret()?)),
        None => Ok(builder),
    }
}

fn secret() -> Result<ClientSecret, BoxError> {
    match env::var(SECRET) {
        Ok(secret) => Ok(ClientSecret::new(secret)),
        Err(env::VarError::NotPresent) => {
            Err(format!("put the client's secret into the variable {SECRET}").into())
        }
        Err(env::VarError::NotUnicode(_)) => {
            Err(format!("the variable {SECRET} must be UTF-8").into())
        }
    }
}

/// A setting that cannot work, by the name or the file that it has here.
pub(crate) fn named(error: ConfigError, args: &BankArgs) -> BoxError {
    let place = match (error.field(), &args.dialect) {
        ("client_secret", _) => format!("the variable {SECRET}"),
        ("client_id", _) => "--client-id".into(),
        ("scopes", _) => "--scope".into(),
        ("token_url", _) if args.token_url.is_some() => "--token-url".into(),
        (_, Some(file)) => file.display().to_string(),
        (_, None) => return error.into(),
    };
    format!("{error} (here: {place})").into()
}
