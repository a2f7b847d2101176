use serde_json::Value;

use super::jwt::Jwt;
use crate::testing::fields::Fields;

/// The client that the assertion of a token request names, before anything of it is verified.
pub(in crate::testing) fn issuer(fields: &Fields) -> Option<String> {
    let assertion = fields
        .get("client_assertion")
        .or_else(|| fields.get("assertion"))?;
    let claims = Jwt::parse(assertion).ok()?.claims;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned)
}
