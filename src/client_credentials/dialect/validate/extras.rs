//! Checks the extra fields and headers of a token request, before secrets are read.

use std::collections::HashSet;

use http::{
    HeaderName,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, PROXY_AUTHORIZATION},
};

use super::{
    super::{Dialect, ParamValue},
    Checked, visible,
};
use crate::{
    ConfigError,
    headers::{fits_a_header, is_the_clients_own},
};

pub(super) fn params(dialect: &Dialect) -> Checked {
    let mut values = dialect.token_params.iter();
    values.try_for_each(|(name, value)| param(&format!("token_params.{name}"), value))
}

/// Checks a value without reading its secret.
fn param(field: &str, value: &ParamValue) -> Checked {
    match value {
        ParamValue::Literal(text) if text.is_empty() => {
            Err(ConfigError::new(field.to_owned(), "must not be empty"))
        }
        ParamValue::Literal(text) => visible(field, text),
        ParamValue::Reference(place) => place.check(),
        ParamValue::Secret(_) => Ok(()),
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
