//! What makes a dialect, or a client under it, unable to work: found when something is built, not at the first call.

use std::{collections::HashSet, time::Duration};

use http::HeaderName;

use super::{
    credentials::{BodyEncoding, Client, CredentialPlacement},
    dialect::Dialect,
    expiry::ExpiryFormat,
    params::ParamValue,
    request,
    scope::ScopeFormat,
};
use crate::{ConfigError, Origin, Token};

/// Headers that the token request sets by itself.
const OWN_HEADERS: [&str; 6] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
];

/// The widest offset from UTC that any clock has been set to, rounded up: 15 hours.
const WIDEST_OFFSET_MINUTES: i16 = 15 * 60;

type Checked = Result<(), ConfigError>;

pub(super) fn dialect(dialect: &Dialect) -> Checked {
    rule(!dialect.name.is_empty(), "name", "must not be empty")?;
    urls(dialect)?;
    body(dialect)?;
    field_names(dialect)?;
    token_headers(dialect)?;
    response(dialect)?;
    numbers(dialect)?;
    dialect.refusal.rule()?;
    failures(dialect)
}

pub(super) fn client(dialect: &Dialect, client: &Client) -> Checked {
    id(dialect, client)?;
    secret(dialect, client)?;
    scopes(dialect, client)?;
    headers(dialect, client)
}

fn rule(holds: bool, field: &'static str, rule: &'static str) -> Checked {
    if holds {
        return Ok(());
    }
    Err(ConfigError::new(field, rule))
}

fn urls(dialect: &Dialect) -> Checked {
    let token_origin = token_origin(dialect)?;
    rule(
        is_safe(dialect, &token_origin),
        "token_url",
        "must be https or loopback (see `danger_allow_http`)",
    )?;
    rule(
        dialect.origins.iter().all(|it| is_safe(dialect, it)),
        "origins",
        "must be https or loopback (see `danger_allow_http`)",
    )
}

pub(super) fn token_origin(dialect: &Dialect) -> Result<Origin, ConfigError> {
    Origin::of(&request::uri(dialect)?)
        .map_err(|error| ConfigError::new("token_url", error.rule().to_owned()))
}

fn is_safe(dialect: &Dialect, origin: &Origin) -> bool {
    origin.is_secure() || dialect.danger_allow_http.contains(origin)
}

fn body(dialect: &Dialect) -> Checked {
    rule(
        dialect.scope.format == ScopeFormat::SpaceJoined || dialect.body == BodyEncoding::Json,
        "scope.format",
        "an array needs a JSON body",
    )?;
    if dialect.body != BodyEncoding::Empty {
        return Ok(());
    }
    rule(
        dialect.credentials.is_basic(),
        "credentials",
        "an empty body cannot carry them; use Basic",
    )?;
    rule(
        dialect.grant.pair().is_none(),
        "grant",
        "an empty body cannot carry it; say `absent`",
    )?;
    rule(
        dialect.token_params.is_empty(),
        "token_params",
        "an empty body cannot carry them",
    )?;
    rule(
        !dialect.scope.required,
        "scope.required",
        "an empty body cannot carry scopes",
    )
}

/// Every field of the body has a name of its own.
fn field_names(dialect: &Dialect) -> Checked {
    let grant = dialect.grant.pair().map(|(name, _)| name);
    let params = dialect.token_params.keys().map(String::as_str);
    let names = grant
        .into_iter()
        .chain(dialect.credentials.field_names())
        .chain([dialect.scope.field.as_str()])
        .chain(params);
    distinct("body", names)
}

fn distinct<'a>(field: &'static str, names: impl IntoIterator<Item = &'a str>) -> Checked {
    let mut seen = HashSet::new();
    for name in names {
        rule(!name.is_empty(), field, "a field's name must not be empty")?;
        if !seen.insert(name) {
            return Err(ConfigError::new(
                field,
                format!("the field `{name}` is named twice"),
            ));
        }
    }
    Ok(())
}

fn token_headers(dialect: &Dialect) -> Checked {
    let mut seen = HashSet::new();
    for (name, value) in &dialect.token_headers {
        let broken = |rule| ConfigError::new(format!("token_headers.{name}"), rule);
        let header: HeaderName = name.parse().map_err(|_| broken("is not a header name"))?;
        let is_own = OWN_HEADERS.contains(&header.as_str())
            || (header == http::header::AUTHORIZATION && dialect.credentials.is_basic());
        if is_own {
            return Err(broken("is set by the token request itself"));
        }
        if header == http::header::AUTHORIZATION && matches!(value, ParamValue::Literal(_)) {
            return Err(broken(
                "is a secret: refer to a variable or a file that holds it",
            ));
        }
        if !seen.insert(header) {
            return Err(broken("is named twice"));
        }
    }
    Ok(())
}

fn response(dialect: &Dialect) -> Checked {
    let fields = &dialect.response;
    let secondaries = fields.secondaries.iter().map(String::as_str);
    distinct(
        "response",
        [
            fields.token.as_str(),
            &fields.expiry,
            &fields.error,
            &fields.error_description,
        ]
        .into_iter()
        .chain(secondaries),
    )?;
    match fields.expiry_format {
        ExpiryFormat::LocalTime { utc_offset_minutes } => rule(
            utc_offset_minutes.unsigned_abs() <= WIDEST_OFFSET_MINUTES.unsigned_abs(),
            "response.expiry_format",
            "an offset from UTC is at most 15 hours, in minutes",
        ),
        _ => Ok(()),
    }
}

fn numbers(dialect: &Dialect) -> Checked {
    for (field, duration) in [
        ("default_lifetime", dialect.default_lifetime),
        ("max_lifetime", dialect.max_lifetime),
        ("wait_after_429", dialect.wait_after_429),
    ] {
        rule(
            duration != Some(Duration::ZERO),
            field,
            "must be longer than zero",
        )?;
    }
    let lifetimes = dialect.default_lifetime.zip(dialect.max_lifetime);
    rule(
        lifetimes.is_none_or(|(default, max)| default <= max),
        "default_lifetime",
        "must not be longer than `max_lifetime`",
    )?;
    rule(
        !dialect.single_active || dialect.renewal_margin.is_none(),
        "renewal_margin",
        "has no effect with `single_active`, which renews at expiry",
    )?;
    rule(
        dialect
            .secret_length
            .is_none_or(|length| length.min <= length.max),
        "secret_length",
        "`min` must not be above `max`",
    )?;
    let lifetime = dialect.default_lifetime.or(dialect.max_lifetime);
    dialect
        .renewal_margin
        .map_or(Ok(()), |margin| margin.check(lifetime))
}

fn failures(dialect: &Dialect) -> Checked {
    let mut seen = HashSet::new();
    for row in &dialect.failures {
        rule(
            matches!(row.status, 200..=299 | 400..=599),
            "failures",
            "statuses must lie between 200 and 599, redirects left out",
        )?;
        rule(
            seen.insert((row.status, &row.error)),
            "failures",
            "a pair of status and error is named twice",
        )?;
    }
    Ok(())
}

fn id(dialect: &Dialect, client: &Client) -> Checked {
    rule(
        dialect.credentials != CredentialPlacement::BasicRaw || !client.id.as_str().contains(':'),
        "client_id",
        "must hold no colon, which ends the id in a raw Basic header",
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
    secret.check()?;
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
        !(dialect.scope.required && dialect.scope.most == Some(0)),
        "scope",
        "cannot be required where at most 0 may be asked for",
    )?;
    rule(
        dialect.body != BodyEncoding::Empty || count == 0,
        "scopes",
        "an empty body cannot carry them",
    )?;
    rule(
        client.scopes.iter().all(|scope| is_scope(scope)),
        "scopes",
        "each must be visible ASCII without space, quote or backslash (RFC 6749 §3.3)",
    )?;
    match dialect.scope.most {
        Some(0) if count > 0 => Err(ConfigError::new("scopes", "this token request takes none")),
        Some(most) if count > most => Err(ConfigError::new(
            "scopes",
            format!("at most {most} may be asked for"),
        )),
        _ => Ok(()),
    }
}

fn is_scope(scope: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !scope.is_empty() && scope.bytes().all(is_allowed)
}

/// The API's headers can be filled from a token such as the answers bring.
fn headers(dialect: &Dialect, client: &Client) -> Checked {
    let headers = dialect.headers.clone().bind(&client.id);
    headers.check()?;
    let secondaries = dialect.response.secondaries.iter();
    let sample = secondaries.fold(Token::new("token"), |token, name| {
        token.secondary(name, "x")
    });
    headers.render(&sample).map(drop).map_err(|_| {
        ConfigError::new(
            "headers",
            "use a value that no answer brings (see `response.secondaries`), or hold what no header may hold",
        )
    })
}
