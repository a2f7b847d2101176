//! Checks the extra fields and headers of a token request, before secrets are read.

use std::collections::HashSet;

use http::{
    HeaderName,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, PROXY_AUTHORIZATION},
};

use super::{
    super::{BodyEncoding, CredentialPlacement, Dialect, ParamValue},
    Checked, visible,
};
use crate::{
    ConfigError,
    headers::{fits_a_header, is_the_clients_own},
};

pub(super) fn params(dialect: &Dialect) -> Checked {
    let mut values = dialect.token_params.iter();
    values.try_for_each(|(name, value)| {
        let field = format!("token_params.{name}");
        match value {
            ParamValue::Number(_) | ParamValue::Bool(_) if dialect.body != BodyEncoding::Json => {
                Err(ConfigError::new(
                    field,
                    "must be a text: only a JSON body has numbers and booleans",
                ))
            }
            value => param(&field, value),
        }
    })
}

/// The values that the API's headers use beside those of a token.
pub(super) fn header_values(dialect: &Dialect) -> Checked {
    for (name, value) in &dialect.header_values {
        let field = format!("header_values.{name}");
        let is_taken = ["token", "client_id"].contains(&name.as_str())
            || dialect.response.extras.contains(name);
        if is_taken {
            return Err(ConfigError::new(field, "is the name of another value"));
        }
        only_text(&field, value)?;
        param(&field, value)?;
    }
    Ok(())
}

fn only_text(field: &str, value: &ParamValue) -> Checked {
    match value {
        ParamValue::Number(_) | ParamValue::Bool(_) => Err(ConfigError::new(
            field.to_owned(),
            "must be a text: write it in quotes",
        )),
        _ => Ok(()),
    }
}

/// `accept`, `content_type` and the headers that carry the credentials.
pub(super) fn own_headers(dialect: &Dialect) -> Checked {
    for (field, value) in [
        ("accept", &dialect.accept),
        ("content_type", &dialect.content_type),
    ] {
        if value
            .as_ref()
            .is_some_and(|text| text.is_empty() || !fits_a_header(text))
        {
            return Err(ConfigError::new(
                field,
                "must be visible ASCII, on a single line",
            ));
        }
    }
    if dialect.content_type.is_some() && dialect.body == BodyEncoding::Empty {
        return Err(ConfigError::new(
            "content_type",
            "has no effect with an empty body",
        ));
    }
    let CredentialPlacement::Headers { id, secret } = &dialect.credentials else {
        return Ok(());
    };
    let names = [id, secret].map(|name| name.parse::<HeaderName>());
    let [Ok(id), Ok(secret)] = names else {
        return Err(ConfigError::new(
            "credentials.headers",
            "is not a header name",
        ));
    };
    let is_wrong = |name: &HeaderName| {
        [ACCEPT, CONTENT_TYPE].contains(name)
            || is_the_clients_own(name)
            || dialect
                .token_headers
                .keys()
                .any(|it| it.eq_ignore_ascii_case(name.as_str()))
    };
    if id == secret || is_wrong(&id) || is_wrong(&secret) {
        return Err(ConfigError::new(
            "credentials.headers",
            "names a header twice, or one that the request sets itself",
        ));
    }
    Ok(())
}

/// Checks a value without reading its secret.
fn param(field: &str, value: &ParamValue) -> Checked {
    match value {
        ParamValue::Literal(text) if text.is_empty() => {
            Err(ConfigError::new(field.to_owned(), "must not be empty"))
        }
        ParamValue::Literal(text) => visible(field, text),
        ParamValue::Reference(place) => place.check(),
        ParamValue::Secret(_) | ParamValue::Number(_) | ParamValue::Bool(_) => Ok(()),
    }
}

pub(super) fn headers(dialect: &Dialect) -> Checked {
    let mut seen = HashSet::new();
    for (name, value) in &dialect.token_headers {
        let field = format!("token_headers.{name}");
        let broken = |rule| Err(ConfigError::new(field.clone(), rule));
        let Ok(header) = name.parse::<HeaderName>() else {
            return broken("is not a header name");
        };
        if is_own(dialect, &header) {
            return broken("is set by the token request itself");
        }
        let is_literal = matches!(value, ParamValue::Literal(_));
        if is_literal && [AUTHORIZATION, PROXY_AUTHORIZATION].contains(&header) {
            return broken("is a secret: refer to a variable or a file that holds it");
        }
        only_text(&field, value)?;
        param(&field, value)?;
        if matches!(value, ParamValue::Literal(text) if !fits_a_header(text)) {
            return broken("must be visible ASCII, on a single line");
        }
        if !seen.insert(header) {
            return broken("is named twice");
        }
    }
    Ok(())
}

/// Whether the token request sets the header itself.
fn is_own(dialect: &Dialect, header: &HeaderName) -> bool {
    [ACCEPT, CONTENT_TYPE].contains(header)
        || is_the_clients_own(header)
        || (*header == AUTHORIZATION && dialect.is_basic())
}
