//! The client, and the check that it fits its dialect.

use crate::{
    ClientId, ClientSecret, ConfigError, ConfigErrorKind,
    client_credentials::dialect::{BodyEncoding, CredentialPlacement, Dialect, Proof},
};

type Checked = Result<(), ConfigError>;

/// The id, the secret and the scopes of the client.
#[derive(Clone, Debug)]
pub(in crate::client_credentials) struct Client {
    pub(in crate::client_credentials) id: ClientId,
    pub(in crate::client_credentials) secret: Option<ClientSecret>,
    pub(in crate::client_credentials) scopes: Vec<String>,
}

impl Client {
    pub(in crate::client_credentials) fn check(&self, dialect: &Dialect) -> Checked {
        id(dialect, self)?;
        scopes(dialect, self)?;
        dialect.headers.clone().bind(&self.id).check()
    }

    pub(in crate::client_credentials) fn check_secret(&self, dialect: &Dialect) -> Checked {
        secret(dialect, self)
    }

    /// The secret, or nothing where the dialect sends none.
    pub(in crate::client_credentials) fn secret(&self) -> &str {
        self.secret.as_ref().map_or("", ClientSecret::expose)
    }
}

fn id(dialect: &Dialect, client: &Client) -> Checked {
    let is_raw = dialect.is_basic() && dialect.credentials == CredentialPlacement::BasicRaw;
    rule(
        !is_raw || !client.id.as_str().contains(':'),
        "client_id",
        "must hold no colon, which ends the id in a raw Basic header; if the bank takes it, say `credentials = \"basic_encoded\"` or `\"body\"`",
    )
}

fn secret(dialect: &Dialect, client: &Client) -> Checked {
    let proof = dialect.proof();
    let Some(secret) = &client.secret else {
        return required(proof != Proof::Secret, "client_secret", "must be given");
    };
    rule(
        proof != Proof::Certificate,
        "client_secret",
        "is not sent at all where the id goes alone; leave it out",
    )?;
    rule(
        proof != Proof::Assertion,
        "client_secret",
        "is not sent at all where an assertion proves who the client is; leave it out",
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
    required(
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

fn required(is_there: bool, field: &'static str, text: &'static str) -> Checked {
    rule(is_there, field, text).map_err(|error| error.with_kind(ConfigErrorKind::Missing))
}

fn rule(holds: bool, field: &'static str, rule: &'static str) -> Checked {
    match holds {
        true => Ok(()),
        false => Err(ConfigError::new(field, rule)),
    }
}
