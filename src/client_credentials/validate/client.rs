//! What makes a client unable to work under a dialect that is good in itself.

use super::{Checked, rule};
use crate::{
    ConfigError,
    client_credentials::{
        credentials::{BodyEncoding, Client, CredentialPlacement},
        dialect::Dialect,
    },
};

pub(in crate::client_credentials) fn client(dialect: &Dialect, client: &Client) -> Checked {
    id(dialect, client)?;
    secret(dialect, client)?;
    scopes(dialect, client)?;
    dialect.headers.clone().bind(&client.id).check()
}

fn id(dialect: &Dialect, client: &Client) -> Checked {
    rule(
        dialect.credentials != CredentialPlacement::BasicRaw || !client.id.as_str().contains(':'),
        "client_id",
        "must hold no colon, which ends the id in a raw Basic header; if the bank takes it, say `credentials = \"basic_encoded\"` or `\"body\"`",
    )
}

fn secret(dialect: &Dialect, client: &Client) -> Checked {
    let wants_none = matches!(dialect.credentials, CredentialPlacement::IdOnly { .. });
    let Some(secret) = &client.secret else {
        return rule(wants_none, "client_secret", "must be given");
    };
    rule(
        !wants_none,
        "client_secret",
        "is not sent at all where the id goes alone; leave it out",
    )?;
    secret.check("client_secret")?;
    let length = secret.expose().chars().count();
    match dialect.secret_length {
        Some(allowed) if !(allowed.min..=allowed.max).contains(&length) => Err(ConfigError::new(
            "client_secret",
            format!("must have {} to {} characters", allowed.min, allowed.max),
        )),
        _ => Ok(()),
    }
}

fn scopes(dialect: &Dialect, client: &Client) -> Checked {
    let count = client.scopes.len();
    rule(
        !dialect.scope.required || count > 0,
        "scopes",
        "at least one must be asked for",
    )?;
    rule(
        dialect.body != BodyEncoding::Empty || count == 0,
        "scopes",
        "an empty body cannot carry them",
    )?;
    if let Some(scope) = client.scopes.iter().find(|scope| !is_scope(scope)) {
        let rule = "each must be visible ASCII without space, quote or backslash (RFC 6749 §3.3)";
        return Err(ConfigError::new("scopes", rule).given(scope));
    }
    let given = client.scopes.join(" ");
    match dialect.scope.most {
        Some(0) if count > 0 => {
            Err(ConfigError::new("scopes", "this token request takes none").given(&given))
        }
        Some(most) if count > most => {
            let rule = format!("at most {most} may be asked for");
            Err(ConfigError::new("scopes", rule).given(&given))
        }
        _ => Ok(()),
    }
}

fn is_scope(scope: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !scope.is_empty() && scope.bytes().all(is_allowed)
}
