//! The fields of a token request's body: texts under names, none of them twice.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use super::{error_answer::ErrorAnswer, specification::Encoding};

pub(super) type Fields = BTreeMap<String, String>;

impl Encoding {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

pub(super) fn parse(body: &[u8], encoding: Encoding) -> Result<Fields, ErrorAnswer> {
    let pairs = match encoding {
        Encoding::Form => form_urlencoded::parse(body).into_owned().collect(),
        Encoding::Json => json_pairs(body)?,
    };
    let count = pairs.len();
    let fields: Fields = pairs.into_iter().collect();
    if fields.len() == count {
        return Ok(fields);
    }
    Err(ErrorAnswer::invalid_request("the body has a field twice"))
}

fn json_pairs(body: &[u8]) -> Result<Vec<(String, String)>, ErrorAnswer> {
    let Pairs(pairs) = serde_json::from_slice(body).map_err(|_| {
        ErrorAnswer::invalid_request("the body must be a JSON object of nothing but strings")
    })?;
    Ok(pairs)
}

/// A JSON object as it was written: a map would hide a name that is there twice.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
