//! Where the secrets of a token request belong.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    ClientSecret, Secret,
    client_credentials::{
        dialect::{ClaimValue, Dialect, ParamValue},
        request::Client,
    },
};

pub(super) enum Field {
    ClientSecret,
    Param(String),
    Header(String),
    Claim(String),
    /// A value that the API's headers use beside those of a token.
    HeaderValue(String),
}

impl Field {
    /// Copies the dialect if the secret belongs there: other sources may share it.
    pub(super) fn set(&self, value: ClientSecret, dialect: &mut Arc<Dialect>, client: &mut Client) {
        match self {
            Self::ClientSecret => client.secret = Some(value),
            Self::Param(name) => put(&mut Arc::make_mut(dialect).token_params, name, value),
            Self::Header(name) => put(&mut Arc::make_mut(dialect).token_headers, name, value),
            Self::HeaderValue(name) => put(&mut Arc::make_mut(dialect).header_values, name, value),
            Self::Claim(name) => {
                if let Some(assertion) = &mut Arc::make_mut(dialect).assertion {
                    assertion.claims.insert(name.clone(), value.into());
                }
            }
        }
    }
}

fn put(values: &mut BTreeMap<String, ParamValue>, name: &str, value: ClientSecret) {
    values.insert(name.to_owned(), value.into());
}

/// The client's secret, and the dialect's references to secrets.
pub(super) fn secrets(dialect: &Dialect, secret: Option<Secret>) -> Vec<(Field, Secret)> {
    let own = secret.map(|secret| (Field::ClientSecret, secret));
    let params = references(&dialect.token_params, Field::Param);
    let headers = references(&dialect.token_headers, Field::Header);
    let values = references(&dialect.header_values, Field::HeaderValue);
    let own = own.into_iter().chain(params).chain(headers).chain(values);
    own.chain(claims(dialect)).collect()
}

fn references(
    values: &BTreeMap<String, ParamValue>,
    field: fn(String) -> Field,
) -> Vec<(Field, Secret)> {
    let reference = |(name, value): (&String, &ParamValue)| match value {
        ParamValue::Reference(place) => Some((field(name.clone()), place.clone().into())),
        ParamValue::Literal(_)
        | ParamValue::Number(_)
        | ParamValue::Bool(_)
        | ParamValue::Secret(_) => None,
    };
    values.iter().filter_map(reference).collect()
}

fn claims(dialect: &Dialect) -> Vec<(Field, Secret)> {
    let reference = |(name, value): (&String, &ClaimValue)| match value {
        ClaimValue::Reference(place) => Some((Field::Claim(name.clone()), place.clone().into())),
        _ => None,
    };
    let claims = dialect.assertion.iter().flat_map(|it| &it.claims);
    claims.filter_map(reference).collect()
}
