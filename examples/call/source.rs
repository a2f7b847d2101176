//! The token source that the arguments describe.

use std::{env, path::Path};

use tower_oauth::{
    BoxError, ClientId, ClientSecret, ConfigError, Secret,
    client_credentials::ClientCredentialsBuilder,
    provider::{anbima, avista, bankly, conta_simples},
    shared::{SealingKeys, SharedStore, WhenStoreIsDown},
};
use zeroize::Zeroizing;

use crate::{
    args::{Args, BankArgs, Env, Provider, WhenDown},
    dialect, signing,
};

/// The variable that holds the client's secret, unless a file does.
pub(crate) const SECRET: &str = "OAUTH_CLIENT_SECRET";

/// The variable that holds the key that seals what is in the store.
const STORE_KEY: &str = "OAUTH_STORE_KEY";

/// A preset: what a provider's module offers for one environment.
type Preset = fn(ClientId, Secret) -> ClientCredentialsBuilder;

/// The source without its transport.
pub(crate) fn builder(all: &Args) -> Result<ClientCredentialsBuilder, BoxError> {
    let args = &all.bank;
    let (by_certificate, by_assertion) = (all.tls.cert.is_some(), all.signing.alg.is_some());
    let id = ClientId::new(&args.client_id).map_err(|error| named(error, args))?;
    let secret = match by_assertion {
        true => None,
        false => secret(args)?,
    };
    let mut builder = match (args.provider, &args.dialect) {
        (Some(Provider::Bankly), _) if by_certificate && !by_assertion && secret.is_none() => {
            bankly_by_certificate(id, args)?
        }
        // The assertion takes the secret's place.
        (Some(provider), _) if by_assertion => {
            preset(provider, args.env)?(id, ClientSecret::new("unused").into())
        }
        (Some(provider), _) => preset(provider, args.env)?(id, secret.ok_or_else(no_secret)?),
        (None, Some(file)) => from_file(file, id, secret)?,
        (None, None) => return Err("name a --provider or a --dialect".into()),
    };
    let described = match &args.dialect {
        Some(file) => dialect::read(file)?.assertion,
        None => None,
    };
    builder = signing::signed(builder, described, &all.signing, all.tls.key.as_deref())?;
    builder = builder.scopes(&args.scope);
    if let Some(url) = &args.token_url {
        builder = builder.token_url(url);
    }
    if let Some(url) = &args.store {
        let store = SharedStore::redis(url, store_keys()?);
        builder = builder.shared(store.map_err(|error| format!("{error} (here: --store)"))?);
    }
    builder = match args.when_store_is_down {
        Some(WhenDown::FetchAlone) => builder.when_store_is_down(WhenStoreIsDown::FetchAlone),
        Some(WhenDown::Fail) => builder.when_store_is_down(WhenStoreIsDown::Fail),
        None => builder,
    };
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

pub(crate) fn default_env(provider: Provider) -> Env {
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

fn from_file(
    file: &Path,
    id: ClientId,
    secret: Option<Secret>,
) -> Result<ClientCredentialsBuilder, BoxError> {
    let builder = ClientCredentialsBuilder::new(dialect::read(file)?, id);
    // A dialect whose client proves itself by its certificate alone has no secret.
    Ok(match secret {
        Some(secret) => builder.secret(secret),
        None => builder,
    })
}

fn secret(args: &BankArgs) -> Result<Option<Secret>, BoxError> {
    match (&args.secret_file, env::var(SECRET)) {
        (None, Err(env::VarError::NotPresent)) => Ok(None),
        (None, Ok(secret)) => Ok(Some(ClientSecret::new(secret).into())),
        (None, Err(env::VarError::NotUnicode(_))) => {
            Err(format!("the variable {SECRET} must be UTF-8").into())
        }
        (Some(file), Err(env::VarError::NotPresent)) => Ok(Some(Secret::from_file(file))),
        (Some(_), _) => Err(format!(
            "the client's secret is given twice: unset the variable {SECRET}, or leave --secret-file out"
        )
        .into()),
    }
}

/// What is in the store is sealed.
fn store_keys() -> Result<SealingKeys, BoxError> {
    let keys = Zeroizing::new(env::var(STORE_KEY).map_err(|_| {
        format!("put the sealing key (32 bytes, base64) into the variable {STORE_KEY}")
    })?);
    let keys = SealingKeys::from_base64(&keys);
    keys.map_err(|error| format!("{error} (here: the variable {STORE_KEY})").into())
}

fn no_secret() -> BoxError {
    format!(
        "put the client's secret into the variable {SECRET}, or name its file with --secret-file"
    )
    .into()
}

/// A setting that cannot work, by the name or the file that it has here.
pub(crate) fn named(error: ConfigError, args: &BankArgs) -> BoxError {
    let secret_file = args.secret_file.as_ref().map(|it| it.display());
    let place = match (error.field(), &args.dialect) {
        ("client_secret", _) if secret_file.is_some() => "--secret-file".into(),
        ("client_secret", _) => format!("the variable {SECRET}"),
        (field, _) if secret_file.is_some_and(|it| field == format!("file {it}")) => {
            "--secret-file".into()
        }
        ("client_id", _) => "--client-id".into(),
        ("signing_key", _) => "--key with --alg".into(),
        ("scopes", _) => "--scope".into(),
        ("token_url", _) if args.token_url.is_some() => "--token-url".into(),
        (_, Some(file)) => file.display().to_string(),
        (_, None) => return error.into(),
    };
    format!("{error} (here: {place})").into()
}
