//! The values of extra fields and headers of a token request.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, value::MapAccessDeserializer},
};

use crate::{ClientSecret, ConfigError, SecretRef};

/// The value of an extra field or header of the token request.
///
/// In configuration it is a string, or where to find a secret: `{ env = "NAME" }`, `{ file = "/path" }`.
///
/// # Examples
///
/// ```
/// use tower_oauth::{ClientSecret, client_credentials::ParamValue};
///
/// let literal = ParamValue::from("my-app/1.0");
/// let secret = ParamValue::from(ClientSecret::new("4b1d"));
/// assert!(!format!("{secret:?}").contains("4b1d"));
/// ```
#[derive(Clone, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ParamValue {
    /// The value itself, which is no secret.
    Literal(String),
    /// A whole number, which a JSON body holds without quotes (Correios). Only in `token_params` of a JSON body.
    Number(i64),
    /// `true` or `false`, which a JSON body holds without quotes (Pluggy). Only in `token_params` of a JSON body.
    Bool(bool),
    /// A secret, read when the source is built and again before each fetch: see [`Secret`](crate::Secret).
    Reference(SecretRef),
    /// A secret itself. Serializing it is an error.
    #[serde(skip)]
    Secret(ClientSecret),
}

impl ParamValue {
    pub(in crate::client_credentials) fn is_secret(&self) -> bool {
        matches!(self, Self::Reference(_) | Self::Secret(_))
    }

    pub(in crate::client_credentials) fn resolve(&self) -> Result<ClientSecret, ConfigError> {
        match self {
            Self::Literal(text) => Ok(ClientSecret::new(text.as_str())),
            Self::Number(number) => Ok(ClientSecret::new(number.to_string())),
            Self::Bool(is) => Ok(ClientSecret::new(is.to_string())),
            Self::Reference(place) => place.resolve(),
            Self::Secret(secret) => Ok(secret.clone()),
        }
    }
}

/// Without a number: a secret in the wrong place may consist of digits.
impl fmt::Debug for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.debug_tuple("Literal").field(text).finish(),
            Self::Number(_) => f.write_str("Number(_)"),
            Self::Bool(is) => f.debug_tuple("Bool").field(is).finish(),
            Self::Reference(place) => f.debug_tuple("Reference").field(place).finish(),
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
        }
    }
}

impl<'de> Deserialize<'de> for ParamValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor { is_text: false })
    }
}

/// The value of a header, which is a text. A number there may be a secret: an error does not quote it.
pub(super) struct HeaderValue(pub(super) ParamValue);

impl<'de> Deserialize<'de> for HeaderValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(Visitor { is_text: true });
        value.map(Self)
    }
}

struct Visitor {
    is_text: bool,
}

impl<'de> de::Visitor<'de> for Visitor {
    type Value = ParamValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            r#"a string, or where to find a secret: `{ env = "MY_BANK_API_KEY" }` or `{ file = "/run/secrets/api_key" }`"#,
        )
    }

    fn visit_str<E>(self, text: &str) -> Result<ParamValue, E> {
        Ok(text.into())
    }

    fn visit_bool<E: de::Error>(self, is: bool) -> Result<ParamValue, E> {
        match self.is_text {
            true => Err(E::invalid_type(de::Unexpected::Other("a boolean"), &self)),
            false => Ok(ParamValue::Bool(is)),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<ParamValue, E> {
        match self.is_text {
            true => Err(E::invalid_type(de::Unexpected::Other("a number"), &self)),
            false => Ok(ParamValue::Number(number)),
        }
    }

    /// Without quoting it, here and below: a secret may consist of digits.
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<ParamValue, E> {
        // One that is too large is no number of these APIs.
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::invalid_type(de::Unexpected::Other("a number"), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<ParamValue, E> {
        Err(E::invalid_type(de::Unexpected::Other("a number"), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ParamValue, A::Error> {
        SecretRef::deserialize(MapAccessDeserializer::new(map)).map(ParamValue::Reference)
    }
}

impl From<&str> for ParamValue {
    fn from(literal: &str) -> Self {
        Self::Literal(literal.into())
    }
}

impl From<String> for ParamValue {
    fn from(literal: String) -> Self {
        Self::Literal(literal)
    }
}

impl From<SecretRef> for ParamValue {
    fn from(place: SecretRef) -> Self {
        Self::Reference(place)
    }
}

impl From<ClientSecret> for ParamValue {
    fn from(secret: ClientSecret) -> Self {
        Self::Secret(secret)
    }
}
