//! Finds mistakes in a dialect when something is built, and not at the first request.

use std::{collections::HashSet, time::Duration};

use super::{
    AssertionUse, BodyEncoding, CredentialPlacement, Dialect, ExpiryFormat, ScopeFormat, assertion,
};
use crate::{
    ConfigError, ConfigErrorKind, Origin,
    duration::words,
    text::{check_name, hidden, url_without_secrets},
};

mod extras;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The widest offset from UTC that any clock has been set to, rounded up: 15 hours.
const WIDEST_OFFSET_MINUTES: u16 = 15 * 60;

type Checked = Result<(), ConfigError>;

pub(super) fn dialect(dialect: &Dialect) -> Checked {
    check_name(&dialect.name)?;
    urls(dialect)?;
    assertion::check(dialect)?;
    body(dialect)?;
    field_names(dialect)?;
    extras::params(dialect)?;
    extras::headers(dialect)?;
    extras::header_values(dialect)?;
    extras::own_headers(dialect)?;
    scope(dialect)?;
    blocked(dialect)?;
    response(dialect)?;
    let known = dialect.header_values.keys().cloned();
    let known: Vec<_> = dialect
        .response
        .extras
        .iter()
        .cloned()
        .chain(known)
        .collect();
    dialect.headers.check_for(&known)?;
    numbers(dialect)?;
    secret_length(dialect)?;
    dialect.rejection.rule()?;
    failures(dialect)
}

fn rule(holds: bool, field: &'static str, rule: &'static str) -> Checked {
    if holds {
        return Ok(());
    }
    Err(ConfigError::new(field, rule))
}

/// An invisible character makes a name a different one, or forges a line of a log.
fn visible(field: &str, text: &str) -> Checked {
    match hidden(text) {
        Some(hidden) => Err(ConfigError::new(field.to_owned(), hidden.rule(false)).given(text)),
        None => Ok(()),
    }
}

const SAFE: &str = "must be https or loopback (see `danger_allow_http`)";

fn urls(dialect: &Dialect) -> Checked {
    let broken = |rule: String| {
        ConfigError::new("token_url", rule).given(&url_without_secrets(&dialect.token_url))
    };
    if let Some(hidden) = hidden(&dialect.token_url) {
        return Err(broken(hidden.rule(false)));
    }
    if !is_safe(dialect, &dialect.unnamed_origin()?) {
        return Err(broken(SAFE.to_owned()).with_kind(ConfigErrorKind::Insecure));
    }
    match dialect.origins.iter().find(|it| !is_safe(dialect, it)) {
        Some(unsafe_one) => Err(ConfigError::new("origins", SAFE)
            .given(&unsafe_one.to_string())
            .with_kind(ConfigErrorKind::Insecure)),
        None => Ok(()),
    }
}

fn is_safe(dialect: &Dialect, origin: &Origin) -> bool {
    origin.is_secure() || dialect.danger_allow_http.contains(origin)
}

fn body(dialect: &Dialect) -> Checked {
    rule(
        dialect.scope.format != ScopeFormat::JsonArray || dialect.body == BodyEncoding::Json,
        "scope.format",
        "an array needs a JSON body",
    )?;
    if dialect.body != BodyEncoding::Empty {
        return Ok(());
    }
    rule(
        dialect.credentials.in_headers(),
        "credentials",
        "an empty body cannot carry them; use Basic or headers",
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

/// No two fields of the body have the same name.
fn field_names(dialect: &Dialect) -> Checked {
    let grant = dialect.grant_pair();
    visible("grant", grant.map_or("", |(_, value)| value))?;
    let grant = grant.map(|(name, _)| name);
    let params = dialect.token_params.keys().map(String::as_str);
    let names = grant
        .into_iter()
        .chain(dialect.id_field())
        .chain(dialect.secret_field())
        .chain(dialect.assertion_type().map(|(name, _)| name))
        .chain(dialect.assertion_use().map(AssertionUse::field))
        .chain([dialect.scope.field.as_str()])
        .chain(params);
    distinct("body", names)
}

fn distinct<'a>(field: &'static str, names: impl IntoIterator<Item = &'a str>) -> Checked {
    let mut seen = HashSet::new();
    for name in names {
        rule(!name.is_empty(), field, "a field's name must not be empty")?;
        visible(field, name)?;
        if !seen.insert(name) {
            return Err(ConfigError::new(
                field,
                format!("the field `{name}` is named twice"),
            ));
        }
    }
    Ok(())
}

fn scope(dialect: &Dialect) -> Checked {
    rule(
        !(dialect.scope.required && dialect.scope.most == Some(0)),
        "scope",
        "cannot be required where at most 0 may be asked for",
    )
}

fn response(dialect: &Dialect) -> Checked {
    let fields = &dialect.response;
    let extras = fields.extras.iter().map(String::as_str);
    distinct(
        "response",
        [
            fields.token.as_str(),
            &fields.expiry,
            &fields.error,
            &fields.error_description,
        ]
        .into_iter()
        .chain(extras)
        .chain(
            fields
                .other_token
                .iter()
                .chain(&fields.other_expiry)
                .map(String::as_str),
        ),
    )?;
    let mut named = [&fields.token, &fields.expiry]
        .into_iter()
        .chain(&fields.extras)
        .chain(&fields.other_token)
        .chain(&fields.other_expiry);
    rule(
        !fields.in_headers || named.all(|name| !name.bytes().any(|it| it.is_ascii_uppercase())),
        "response",
        "names of headers are written in lower case with `in_headers`",
    )?;
    match fields.expiry_format {
        ExpiryFormat::LocalTime { utc_offset_minutes }
        | ExpiryFormat::AutoLocal { utc_offset_minutes }
            if utc_offset_minutes.unsigned_abs() > WIDEST_OFFSET_MINUTES =>
        {
            Err(ConfigError::new(
                "response.expiry_format",
                "an offset from UTC is at most 15 hours, in minutes",
            )
            .given_value(&utc_offset_minutes))
        }
        _ => Ok(()),
    }
}

fn numbers(dialect: &Dialect) -> Checked {
    let no_bound = Duration::MAX;
    bounded("default_lifetime", dialect.default_lifetime, no_bound)?;
    bounded("max_lifetime", dialect.max_lifetime, 366 * DAY)?;
    bounded("wait_after_429", dialect.wait_after_429, DAY)?;
    bounded("min_fetch_interval", dialect.min_fetch_interval, DAY / 24)?;
    if let Some((default, max)) = dialect.default_lifetime.zip(dialect.max_lifetime)
        && default > max
    {
        let rule = format!("must not be longer than `max_lifetime` ({})", words(max));
        return Err(ConfigError::new("default_lifetime", rule).given_value(&words(default)));
    }
    rule(
        !dialect.single_active || dialect.refresh_margin.is_none(),
        "refresh_margin",
        "has no effect with `single_active`, which refreshes at expiry",
    )?;
    let lifetime = dialect.default_lifetime.or(dialect.max_lifetime);
    dialect
        .refresh_margin
        .map_or(Ok(()), |margin| margin.check("refresh_margin", lifetime))
}

fn bounded(field: &'static str, duration: Option<Duration>, longest: Duration) -> Checked {
    let rule = match duration {
        Some(Duration::ZERO) => "must be longer than zero".to_owned(),
        Some(duration) if duration > longest => {
            format!("must be at most {} hours", longest.as_secs() / 3600)
        }
        _ => return Ok(()),
    };
    let given = words(duration.unwrap_or_default());
    Err(ConfigError::new(field, rule).given_value(&given))
}

fn secret_length(dialect: &Dialect) -> Checked {
    let Some(length) = dialect.secret_length else {
        return Ok(());
    };
    rule(
        length.min <= length.max,
        "secret_length",
        "`min` must not be above `max`",
    )?;
    rule(
        length.max > 0,
        "secret_length",
        "`max` must be above zero: a secret is never empty",
    )?;
    rule(
        !matches!(dialect.credentials, CredentialPlacement::IdOnly { .. }),
        "secret_length",
        "has no effect with `id_only`, which sends no secret",
    )
}

fn blocked(dialect: &Dialect) -> Checked {
    let Some(blocked) = &dialect.blocked else {
        return Ok(());
    };
    bounded("blocked.wait", Some(blocked.wait), DAY)?;
    let are_failures = blocked.statuses.iter().all(|it| (300..=599).contains(it));
    rule(
        are_failures && !blocked.statuses.is_empty(),
        "blocked.statuses",
        "must name at least one status, from 300 to 599",
    )
}

fn failures(dialect: &Dialect) -> Checked {
    let mut seen = HashSet::new();
    for row in &dialect.failures {
        visible("failures", row.error.as_deref().unwrap_or_default())?;
        if !matches!(row.status, 200..=299 | 400..=599) {
            let rule = "statuses must lie between 200 and 599, redirects left out";
            return Err(ConfigError::new("failures", rule).given_value(&row.status));
        }
        rule(
            row.attempts.is_none_or(|first| (1..=10).contains(&first)),
            "failures.attempts",
            "must lie between 1 and 10",
        )?;
        rule(
            seen.insert((
                row.status,
                row.error.as_deref().map(str::to_ascii_lowercase),
            )),
            "failures",
            "a pair of status and error is named twice",
        )?;
    }
    Ok(())
}
