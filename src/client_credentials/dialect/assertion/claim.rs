//! The value of a claim.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, SeqAccess, value::MapAccessDeserializer},
};

use crate::{ClientSecret, SecretRef};

/// The value of a further claim of an [`Assertion`](super::Assertion).
///
/// In configuration it is a string, an integer, a boolean, a list of strings, or where to find a secret:
/// `{ env = "NAME" }`, `{ file = "/path" }`.
///
/// # Examples
///
/// ```
/// use tower_oauth::client_credentials::ClaimValue;
///
/// let realm = ClaimValue::from("stone_bank");
/// let id = ClaimValue::from("{client_id}"); // becomes the client's id
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ClaimValue {
    /// A text. `{client_id}` in it becomes the client's id.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Bool(bool),
    /// A list of texts.
    List(Vec<String>),
    /// A secret that is kept elsewhere, and read again before each fetch.
    Reference(SecretRef),
    /// A secret itself. Serializing it is an error.
    #[serde(skip)]
    Secret(ClientSecret),
}

impl<'de> Deserialize<'de> for ClaimValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = ClaimValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            r#"a string, an integer, a boolean, a list of strings, or where to find a secret: `{ env = "MY_BANK_PIN" }` or `{ file = "/run/secrets/pin" }`"#,
        )
    }

    fn visit_str<E>(self, text: &str) -> Result<ClaimValue, E> {
        Ok(text.into())
    }

    fn visit_bool<E>(self, value: bool) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Number(value))
    }

    /// Without quoting it, here and below: a secret may consist of digits.
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<ClaimValue, E> {
        let too_large = |_| E::invalid_value(de::Unexpected::Other("a larger number"), &self);
        i64::try_from(value)
            .map(ClaimValue::Number)
            .map_err(too_large)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<ClaimValue, E> {
        Err(E::invalid_type(
            de::Unexpected::Other("a number with a fraction"),
            &self,
        ))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ClaimValue, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(ClaimValue::List(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClaimValue, A::Error> {
        SecretRef::deserialize(MapAccessDeserializer::new(map)).map(ClaimValue::Reference)
    }
}

impl From<&str> for ClaimValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for ClaimValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for ClaimValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for ClaimValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<SecretRef> for ClaimValue {
    fn from(place: SecretRef) -> Self {
        Self::Reference(place)
    }
}

impl From<ClientSecret> for ClaimValue {
    fn from(secret: ClientSecret) -> Self {
        Self::Secret(secret)
    }
}
