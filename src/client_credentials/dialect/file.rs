//! How a dialect is written in a configuration file. Each type here has the fields of the public one that it names,
//! which the compiler compares.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};

use super::{
    Assertion, Blocked, BodyEncoding, CredentialPlacement, Dialect, ExpiryFormat, FailureRow,
    Grant, ParamValue, RejectionStatuses, ResponseFields, ScopeFormat, ScopeRule, SecretLength,
};
use super::{derived::Memo, params::HeaderValue};
use crate::{
    FailureClass, Margin, Origin, TokenHeaders, duration,
    table::{Table, as_table},
};

as_table!(
    Dialect,
    DialectKeys,
    r#"a table that begins with `name = "my-bank"` and `token_url = "https://login.bank.example/token"`"#
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Dialect", deny_unknown_fields)]
struct DialectKeys {
    name: String,
    token_url: String,
    #[serde(default)]
    origins: Vec<Origin>,
    #[serde(default)]
    danger_allow_http: Vec<Origin>,
    #[serde(default)]
    credentials: CredentialPlacement,
    #[serde(default)]
    body: BodyEncoding,
    #[serde(default)]
    grant: Grant,
    #[serde(default)]
    scope: ScopeRule,
    #[serde(default, deserialize_with = "token_params")]
    token_params: BTreeMap<String, ParamValue>,
    #[serde(default, deserialize_with = "token_headers")]
    token_headers: BTreeMap<String, ParamValue>,
    #[serde(default)]
    headers: TokenHeaders,
    #[serde(default)]
    response: ResponseFields,
    #[serde(
        default,
        with = "duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    default_lifetime: Option<Duration>,
    #[serde(
        default,
        with = "duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    max_lifetime: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_margin: Option<Margin>,
    #[serde(default)]
    single_active: bool,
    #[serde(default)]
    rejection: RejectionStatuses,
    #[serde(
        default,
        with = "duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    wait_after_429: Option<Duration>,
    #[serde(default)]
    failures: Vec<FailureRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_length: Option<SecretLength>,
    #[serde(default, deserialize_with = "header_values")]
    header_values: BTreeMap<String, ParamValue>,
    #[serde(
        default,
        with = "duration::option",
        skip_serializing_if = "Option::is_none"
    )]
    min_fetch_interval: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blocked: Option<Blocked>,
    #[serde(default)]
    client_certificate: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assertion: Option<Assertion>,
    #[serde(skip)]
    derived: Memo,
}

type Params = BTreeMap<String, ParamValue>;

fn token_params<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Params, D::Error> {
    Params::deserialize(Table {
        deserializer,
        shape: r#"`token_params = { audience = "payments" }`"#,
    })
}

fn token_headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Params, D::Error> {
    let values = BTreeMap::<String, HeaderValue>::deserialize(Table {
        deserializer,
        shape: r#"`token_headers = { x-api-key = { env = "MY_BANK_API_KEY" } }`"#,
    })?;
    Ok(values.into_iter().map(|(name, it)| (name, it.0)).collect())
}

fn header_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Params, D::Error> {
    let values = BTreeMap::<String, HeaderValue>::deserialize(Table {
        deserializer,
        shape: r#"`header_values = { api_key = { env = "MY_BANK_API_KEY" } }`"#,
    })?;
    Ok(values.into_iter().map(|(name, it)| (name, it.0)).collect())
}

as_table!(
    Blocked,
    BlockedKeys,
    r#"`blocked = { statuses = [302, 403], wait = "15m" }`"#
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Blocked", deny_unknown_fields)]
struct BlockedKeys {
    statuses: Vec<u16>,
    #[serde(with = "duration")]
    wait: Duration,
}

as_table!(
    CredentialPlacement,
    CredentialKeys,
    r#"`credentials = "basic_encoded"`, `"basic_raw"`, `credentials = { body = { id = "clientId", secret = "clientSecret" } }` or `credentials = { id_only = { id = "client_id" } }`"#
);

#[derive(Serialize, Deserialize)]
#[serde(
    remote = "CredentialPlacement",
    rename_all = "snake_case",
    deny_unknown_fields
)]
enum CredentialKeys {
    BasicEncoded,
    BasicRaw,
    Body {
        #[serde(default = "client_id")]
        id: String,
        #[serde(default = "client_secret")]
        secret: String,
    },
    IdOnly {
        #[serde(default = "client_id")]
        id: String,
    },
    Headers {
        id: String,
        secret: String,
    },
}

fn client_id() -> String {
    "client_id".into()
}

fn client_secret() -> String {
    "client_secret".into()
}

as_table!(
    Grant,
    GrantKeys,
    r#"`grant = "client_credentials"`, `"absent"` or `grant = { field = { name = "grantType", value = "client_credentials" } }`"#
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Grant", rename_all = "snake_case", deny_unknown_fields)]
enum GrantKeys {
    ClientCredentials,
    Absent,
    Field { name: String, value: String },
}

as_table!(
    ScopeRule,
    ScopeKeys,
    r#"`scope = { field = "scope", format = "space_joined", required = true, most = 10 }`, each key optional"#
);

#[derive(Serialize, Deserialize)]
#[serde(
    remote = "ScopeRule",
    default = "ScopeRule::default",
    deny_unknown_fields
)]
struct ScopeKeys {
    field: String,
    format: ScopeFormat,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<usize>,
}

as_table!(
    ResponseFields,
    ResponseKeys,
    r#"`response = { token = "access_token", expiry = "expires_in", expiry_format = "auto", extras = [], error = "error", error_description = "error_description" }`, each key optional"#
);

#[derive(Serialize, Deserialize)]
#[serde(
    remote = "ResponseFields",
    default = "ResponseFields::default",
    deny_unknown_fields
)]
struct ResponseKeys {
    token: String,
    expiry: String,
    expiry_format: ExpiryFormat,
    extras: Vec<String>,
    error: String,
    error_description: String,
    other_token: Vec<String>,
    other_expiry: Vec<String>,
    in_headers: bool,
}

as_table!(
    ExpiryFormat,
    ExpiryKeys,
    r#"`expiry_format = "auto"`, `"seconds"`, `"milliseconds"`, `"epoch_seconds"`, `"rfc3339"`, `"ignored"` or `expiry_format = { local_time = { utc_offset_minutes = -180 } }`"#
);

/// The error for `"-03:00"` says what to write.
struct UtcOffset;

impl Visitor<'_> for UtcOffset {
    type Value = i16;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("minutes east of UTC, such as -180 for Brasília")
    }

    fn visit_i64<E: de::Error>(self, minutes: i64) -> Result<i16, E> {
        i16::try_from(minutes).map_err(|_| E::invalid_value(Unexpected::Signed(minutes), &self))
    }

    fn visit_u64<E: de::Error>(self, minutes: u64) -> Result<i16, E> {
        i16::try_from(minutes).map_err(|_| E::invalid_value(Unexpected::Unsigned(minutes), &self))
    }
}

fn utc_offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i16, D::Error> {
    deserializer.deserialize_i16(UtcOffset)
}

#[derive(Serialize, Deserialize)]
#[serde(
    remote = "ExpiryFormat",
    rename_all = "snake_case",
    deny_unknown_fields
)]
enum ExpiryKeys {
    Auto,
    Seconds,
    Milliseconds,
    EpochSeconds,
    Rfc3339,
    LocalTime {
        #[serde(deserialize_with = "utc_offset")]
        utc_offset_minutes: i16,
    },
    Ignored,
    Minutes,
    AutoLocal {
        #[serde(deserialize_with = "utc_offset")]
        utc_offset_minutes: i16,
    },
    Jwt,
}

as_table!(
    RejectionStatuses,
    RejectionKeys,
    "`rejection = { definite = [401], ambiguous = [403] }`, each key optional"
);

#[derive(Serialize, Deserialize)]
#[serde(
    remote = "RejectionStatuses",
    default = "RejectionStatuses::default",
    deny_unknown_fields
)]
struct RejectionKeys {
    definite: Vec<u16>,
    ambiguous: Vec<u16>,
}

as_table!(
    FailureRow,
    FailureKeys,
    r#"`failures = [{ status = 400, error = "BUSY", class = "transient" }]`"#
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "FailureRow", deny_unknown_fields)]
struct FailureKeys {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    class: FailureClass,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
}

as_table!(
    SecretLength,
    LengthKeys,
    "`secret_length = { min = 8, max = 64 }`"
);

#[derive(Serialize, Deserialize)]
#[serde(remote = "SecretLength", deny_unknown_fields)]
struct LengthKeys {
    min: usize,
    max: usize,
}
