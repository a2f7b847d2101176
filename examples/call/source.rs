//! The token source that the arguments describe.

use std::env;

use tower_oauth::{
    BoxError, ClientId, ClientSecret, ConfigError, Secret,
    client_credentials::{ClientCredentialsBuilder, CredentialPlacement, Dialect},
    provider::{self, Provider, bankly},
    shared::{SealingKeys, SharedStore, WhenStoreIsDown},
};
use zeroize::Zeroizing;

use crate::{
    args::{Args, BankArgs, WhenDown},
    dialect, signing,
};

/// The variable that holds the client's secret, unless a file does.
pub(crate) const SECRET: &str = "OAUTH_CLIENT_SECRET";

/// The variable that holds the key that seals what is in the store.
const STORE_KEY: &str = "OAUTH_STORE_KEY";

/// The source without its transport.
pub(crate) fn builder(all: &Args) -> Result<ClientCredentialsBuilder, BoxError> {
    let args = &all.bank;
    let id = ClientId::new(&args.client_id).map_err(|error| named(error, all))?;
    let dialect = described(args)?;
    // The assertion takes the secret's place.
    let by_assertion = all.signing.alg.is_some() || dialect.assertion.is_some();
    let secret = match by_assertion {
        true => None,
        false => secret(args)?,
    };
    let assertion = dialect.assertion.clone();
    let mut builder = match secret {
        None if is_bankly(args) && all.tls.cert.is_some() && !by_assertion => {
            bankly_by_certificate(id, args)?
        }
        None if args.provider.is_some() && !by_assertion && wants_secret(&dialect) => {
            return Err(no_secret());
        }
        None => ClientCredentialsBuilder::new(dialect, id),
        Some(secret) => ClientCredentialsBuilder::new(dialect, id).secret(secret),
    };
    builder = signing::signed(builder, assertion, &all.signing, all.tls.key.as_deref())?;
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

/// The token endpoint's address.
pub(crate) fn token_url(all: &Args) -> Result<String, BoxError> {
    let args = &all.bank;
    if let Some(url) = &args.token_url {
        return Ok(url.clone());
    }
    let dialect = described(args)?;
    let by_assertion = all.signing.alg.is_some() || dialect.assertion.is_some();
    let by_certificate = is_bankly(args) && all.tls.cert.is_some() && !by_assertion;
    match args.provider {
        Some(bankly) if by_certificate && secret(args)?.is_none() => {
            Ok(bankly.dialect("sandbox-mtls")?.token_url)
        }
        _ => Ok(dialect.token_url),
    }
}

fn is_bankly(args: &BankArgs) -> bool {
    args.provider.is_some_and(|it| it.name() == "bankly")
}

fn described(args: &BankArgs) -> Result<Dialect, BoxError> {
    match (args.provider, &args.dialect) {
        (Some(provider), _) => {
            let env = args.env.as_deref();
            let env = env.unwrap_or_else(|| default_env(provider));
            Ok(provider.dialect(env)?)
        }
        (None, Some(file)) => Ok(dialect::read(file)?),
        (None, None) => Err("name a --provider or a --dialect".into()),
    }
}

/// A client that its certificate alone proves has no secret.
fn wants_secret(dialect: &Dialect) -> bool {
    !matches!(dialect.credentials, CredentialPlacement::IdOnly { .. })
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
        (Some(env), _) => Ok(provider::find("bankly")?.builder(env, id)?),
    }
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
pub(crate) fn named(error: ConfigError, all: &Args) -> BoxError {
    let args = &all.bank;
    if let Some(option) = signing::option(error.field(), &all.signing) {
        return format!("{error} (here: {option})").into();
    }
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
