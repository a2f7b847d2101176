//! A header's template: literal text, and the places that a token fills.

use std::{fmt, str::FromStr};

use crate::{
    error::{ConfigError, FetchError},
    text::hidden,
    token::Token,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Value(Placeholder),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    Token,
    ClientId,
    Extra(Box<str>),
}

impl Placeholder {
    fn named(name: &str) -> Result<Self, &'static str> {
        match name {
            "token" => Ok(Self::Token),
            "client_id" => Ok(Self::ClientId),
            "" => Err(UNMATCHED),
            name => Ok(Self::Extra(name.into())),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Token => "token",
            Self::ClientId => "client_id",
            Self::Extra(name) => name,
        }
    }

    fn fill<'a>(&self, token: &'a Token) -> Result<&'a str, FetchError> {
        match self {
            Self::Token => Ok(token.expose()),
            Self::ClientId => Err(FetchError::malformed("no client id to put into a header")),
            Self::Extra(name) => token.extra(name).ok_or_else(|| {
                FetchError::malformed(format!(
                    "the answer holds no `{name}`, which a header needs"
                ))
            }),
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

impl Template {
    /// `Bearer {token}`.
    pub(super) fn bearer() -> Self {
        let literal = Part::Literal("Bearer ".into());
        Self(vec![literal, Part::Value(Placeholder::Token)])
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(placeholder) => Some(placeholder),
            Part::Literal(_) => None,
        })
    }

    /// Errors print this name, so it must not contain a line break: it could forge a log line.
    pub(super) fn check_names(&self) -> Result<(), ConfigError> {
        self.values().try_for_each(|it| match hidden(it.name()) {
            Some(hidden) => {
                Err(ConfigError::new("headers", hidden.rule(false)).given(&it.to_string()))
            }
            None => Ok(()),
        })
    }

    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Literal(literal) => Some(&**literal),
            Part::Value(_) => None,
        })
    }

    #[cfg(feature = "client-credentials")]
    pub(super) fn bind(&mut self, id: &crate::ClientId) {
        for part in &mut self.0 {
            if *part == Part::Value(Placeholder::ClientId) {
                *part = Part::Literal(id.as_str().into());
            }
        }
    }

    /// The parts of the header's value, in order.
    pub(super) fn fill<'a>(&'a self, token: &'a Token) -> Result<Vec<&'a str>, FetchError> {
        let parts = self.0.iter().map(|part| match part {
            Part::Literal(literal) => Ok(&**literal),
            Part::Value(placeholder) => placeholder.fill(token),
        });
        parts.collect()
    }
}

impl FromStr for Template {
    type Err = &'static str;

    fn from_str(mut text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        while let Some(open) = text.find(['{', '}']) {
            let (literal, rest) = text.split_at(open);
            let (name, after) = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .ok_or(UNMATCHED)?;
            push_literal(&mut parts, literal);
            parts.push(Part::Value(Placeholder::named(name)?));
            text = after;
        }
        push_literal(&mut parts, text);
        Ok(Self(parts))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(literal) => f.write_str(literal),
            Part::Value(placeholder) => placeholder.fmt(f),
        })
    }
}

/// `HeaderValue` accepts bytes from 0x80 on. No known token has them, and proxies may reject them.
pub(crate) fn fits_a_header(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) {
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.into()));
    }
}

const UNMATCHED: &str = "braces must come in pairs around a name, such as `{token}`";
