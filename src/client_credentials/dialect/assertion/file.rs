//! How an assertion is written in a configuration file.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Assertion, AssertionUse, Audience, CLIENT_ID, ClaimValue};
use crate::{
    SigningAlgorithm, duration,
    table::{Table, as_table},
};

as_table!(
    Assertion,
    AssertionKeys,
    r#"`assertion = { use = "client", algorithm = "PS256", audience = "token_url", lifetime = "60s" }`; every key but `algorithm` is optional"#
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Assertion", deny_unknown_fields)]
struct AssertionKeys {
    #[serde(rename = "use", default)]
    usage: AssertionUse,
    algorithm: SigningAlgorithm,
    #[serde(default)]
    audience: Audience,
    #[serde(default = "client_id")]
    issuer: String,
    #[serde(default = "client_id")]
    subject: String,
    #[serde(default = "a_minute", with = "duration")]
    lifetime: Duration,
    #[serde(default, with = "duration")]
    issued_at_skew: Duration,
    #[serde(default)]
    not_before: bool,
    #[serde(default = "jwt")]
    typ: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x5t_s256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    names_client: Option<bool>,
    #[serde(default, deserialize_with = "claims")]
    claims: BTreeMap<String, ClaimValue>,
}

fn client_id() -> String {
    CLIENT_ID.into()
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn jwt() -> String {
    "JWT".into()
}

fn claims<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, ClaimValue>, D::Error> {
    BTreeMap::deserialize(Table {
        deserializer,
        shape: r#"`claims = { realm = "stone_bank", clientId = "{client_id}" }`"#,
    })
}

/// The word that stands for the token URL. No server has it for a name.
const TOKEN_URL: &str = "token_url";

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::TokenUrl => TOKEN_URL,
            Self::Text(text) => text,
        })
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            TOKEN_URL => Self::TokenUrl,
            _ => Self::Text(text),
        })
    }
}
