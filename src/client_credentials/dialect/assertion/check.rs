//! Finds mistakes in an assertion when something is built.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{
    super::{BodyEncoding, Dialect},
    Assertion, Audience, CLIENT_ID, ClaimValue,
};
use crate::{ConfigError, duration::words, text::hidden};

type Checked = Result<(), ConfigError>;

const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The claims that an assertion sets itself, and what sets them.
const OWN_CLAIMS: [(&str, &str); 7] = [
    ("iss", "is set by `issuer`"),
    ("sub", "is set by `subject`"),
    ("aud", "is set by `audience`"),
    ("nbf", "is set by `not_before`"),
    ("exp", "is set by `lifetime`"),
    ("iat", "is set for each attempt, see `issued_at_skew`"),
    ("jti", "is set for each attempt, to a random value"),
];

pub(in crate::client_credentials::dialect) fn check(dialect: &Dialect) -> Checked {
    let Some(assertion) = &dialect.assertion else {
        return Ok(());
    };
    if dialect.body == BodyEncoding::Empty {
        return Err(broken("", "an empty body cannot carry it"));
    }
    times(assertion)?;
    header(assertion)?;
    text("issuer", &assertion.issuer)?;
    text("subject", &assertion.subject)?;
    if let Audience::Text(audience) = &assertion.audience {
        text("audience", audience)?;
    }
    let mut claims = assertion.claims.iter();
    claims.try_for_each(|(name, value)| claim(name, value))
}

/// An error of a field below `assertion`, or of the whole.
fn broken(field: &str, rule: impl Into<String>) -> ConfigError {
    let dot = if field.is_empty() { "" } else { "." };
    ConfigError::new(format!("assertion{dot}{field}"), rule.into())
}

fn times(assertion: &Assertion) -> Checked {
    let lifetime = assertion.lifetime;
    if !(Duration::from_secs(1)..=LONGEST_LIFETIME).contains(&lifetime) {
        let error = broken("lifetime", "must be at least 1 s and at most 24 h");
        return Err(error.given_value(&words(lifetime)));
    }
    let skew = assertion.issued_at_skew;
    if skew >= lifetime {
        let rule = format!("must be shorter than `lifetime` ({})", words(lifetime));
        return Err(broken("issued_at_skew", rule).given_value(&words(skew)));
    }
    Ok(())
}

fn header(assertion: &Assertion) -> Checked {
    visible("typ", &assertion.typ)?;
    if let Some(kid) = &assertion.kid {
        not_empty("kid", kid)?;
        visible("kid", kid)?;
    }
    let Some(thumbprint) = &assertion.x5t_s256 else {
        return Ok(());
    };
    match BASE64_URL_SAFE_NO_PAD.decode(thumbprint) {
        Ok(digest) if digest.len() == 32 => Ok(()),
        _ => Err(broken(
            "x5t_s256",
            "must be the 43 characters of a SHA-256 in base64url without padding: `openssl x509 -in cert.pem -outform \
             DER | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d '='`",
        )
        .given(thumbprint)),
    }
}

/// A text in which the client's id may stand.
fn text(field: &str, text: &str) -> Checked {
    not_empty(field, text)?;
    visible(field, text)?;
    placeholders(field, text)
}

fn not_empty(field: &str, text: &str) -> Checked {
    match text.is_empty() {
        true => Err(broken(field, "must not be empty")),
        false => Ok(()),
    }
}

fn visible(field: &str, text: &str) -> Checked {
    match hidden(text) {
        Some(hidden) => Err(broken(field, hidden.rule(false)).given(text)),
        None => Ok(()),
    }
}

/// A misspelt placeholder would be sent as it is.
fn placeholders(field: &str, text: &str) -> Checked {
    match text.replace(CLIENT_ID, "").contains(['{', '}']) {
        true => Err(broken(field, "may hold `{client_id}`, and no other braces").given(text)),
        false => Ok(()),
    }
}

fn claim(name: &str, value: &ClaimValue) -> Checked {
    let field = format!("claims.{name}");
    not_empty("claims", name)?;
    visible("claims", name)?;
    if let Some((_, rule)) = OWN_CLAIMS.iter().find(|(own, _)| *own == name) {
        return Err(broken(&field, *rule));
    }
    match value {
        ClaimValue::Text(literal) => text(&field, literal),
        ClaimValue::List(literals) => literals.iter().try_for_each(|it| visible(&field, it)),
        ClaimValue::Reference(place) => place.check(),
        ClaimValue::Number(_) | ClaimValue::Bool(_) | ClaimValue::Secret(_) => Ok(()),
    }
}
