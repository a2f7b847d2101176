//! The client's signed assertion, from `--key` and `--alg`.

use std::{fs, path::Path};

use tower_oauth::{
    BoxError,
    client_credentials::{Assertion, Audience, ClientCredentialsBuilder, SigningKey},
};
use zeroize::Zeroizing;

use crate::args::SigningArgs;

/// Signs what the dialect describes, if it describes an assertion; else the client authenticates by one.
pub(crate) fn signed(
    builder: ClientCredentialsBuilder,
    described: Option<Assertion>,
    args: &SigningArgs,
    key: Option<&Path>,
) -> Result<ClientCredentialsBuilder, BoxError> {
    let Some(algorithm) = args.alg else {
        return Ok(builder);
    };
    let mut assertion = described.unwrap_or_else(|| Assertion::client(algorithm));
    assertion.algorithm = algorithm;
    if let Some(kid) = &args.kid {
        assertion.kid = Some(kid.clone());
    }
    if let Some(audience) = &args.audience {
        assertion.audience = Audience::Text(audience.clone());
    }
    for (name, value) in &args.claim {
        assertion.claims.insert(name.clone(), value.as_str().into());
    }
    let key = signing_key(key.ok_or("--alg needs --key with the file of the private key")?)?;
    Ok(builder.assertion(assertion).signing_key(key))
}

/// A JWK begins with a brace, which PEM never has.
fn signing_key(path: &Path) -> Result<SigningKey, BoxError> {
    let named = |what: String| format!("--key {}: {what}", path.display());
    let bytes = fs::read(path).map(Zeroizing::new);
    let bytes =
        bytes.map_err(|error| named(format!("the file cannot be read: {}", error.kind())))?;
    let key = match bytes.trim_ascii_start().starts_with(b"{") {
        true => SigningKey::from_jwk(&bytes),
        false => SigningKey::from_pem(&bytes),
    };
    key.map_err(|error| named(format!("it {}", error.rule())).into())
}

/// The option that has set this field of the dialect.
pub(crate) fn option(field: &str, args: &SigningArgs) -> Option<&'static str> {
    let field = field.strip_prefix("assertion.")?;
    let claim = field.strip_prefix("claims.");
    let is_given = |name: &str| args.claim.iter().any(|(given, _)| given == name);
    match field {
        "kid" if args.kid.is_some() => Some("--kid"),
        "audience" if args.audience.is_some() => Some("--audience"),
        _ if claim.is_some_and(is_given) => Some("--claim"),
        _ => None,
    }
}

pub(crate) fn claim(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("must be written NAME=VALUE".into()),
    }
}
