//! Verifies an assertion.

use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Map, Value};

use super::{Assertions, Use, jwt::Jwt};
use crate::testing::error_answer::ErrorAnswer;

/// How far a client's clock may be off, in seconds.
const LEEWAY: u64 = 60;

/// What the bank knows of the request.
pub(super) struct Expected<'a> {
    pub(super) client_id: &'a str,
    pub(super) token_url: &'a str,
    pub(super) now: SystemTime,
}

type Verified = Result<(), String>;

impl Assertions {
    pub(super) fn verify(&self, text: &str, expected: &Expected<'_>) -> Result<(), ErrorAnswer> {
        let denied = |reason: String| self.denied(&reason);
        let jwt = Jwt::parse(text).map_err(|reason| self.denied(reason))?;
        self.header(&jwt.header).map_err(denied)?;
        if !self.key.has_signed(jwt.signed.as_bytes(), &jwt.signature) {
            return Err(self.denied("the signature is not the client's"));
        }
        self.claims(&jwt.claims, expected).map_err(denied)?;
        self.use_once(&jwt.claims)
    }

    /// RFC 7523 §3.1 and §3.2.
    pub(super) fn denied(&self, reason: &str) -> ErrorAnswer {
        let reason = format!("the assertion: {reason}");
        match self.usage {
            Use::Client => ErrorAnswer::invalid_client(reason),
            Use::Grant => ErrorAnswer::new(StatusCode::BAD_REQUEST, "invalid_grant", reason),
        }
    }

    fn header(&self, header: &Map<String, Value>) -> Verified {
        let algorithm = self.key.algorithm.as_str();
        for (name, expected) in [
            ("alg", Some(algorithm)),
            ("kid", self.kid.as_deref()),
            ("x5t#S256", self.thumbprint.as_deref()),
        ] {
            if header.get(name) != expected.map(Value::from).as_ref() {
                return Err(wrong(name, expected));
            }
        }
        match header.get("typ") {
            None => {}
            Some(typ) if typ == "JWT" => {}
            Some(_) => return Err(wrong("typ", Some("JWT"))),
        }
        only(header, &["alg", "kid", "x5t#S256", "typ"], &[])
    }

    fn claims(&self, claims: &Map<String, Value>, expected: &Expected<'_>) -> Verified {
        let audience = self.audience.as_deref().unwrap_or(expected.token_url);
        for (name, text) in [
            ("iss", expected.client_id),
            ("sub", expected.client_id),
            ("aud", audience),
        ] {
            if claims.get(name).is_none_or(|it| it != text) {
                return Err(wrong(name, Some(text)));
            }
        }
        self.times(claims, expected.now)?;
        for (name, text) in &self.claims {
            if claims.get(name).is_none_or(|it| it != text) {
                return Err(wrong(name, Some(text)));
            }
        }
        let further: Vec<_> = self.claims.keys().map(String::as_str).collect();
        let own = ["iss", "sub", "aud", "iat", "nbf", "exp", "jti"];
        only(claims, &own, &further)
    }

    fn times(&self, claims: &Map<String, Value>, now: SystemTime) -> Verified {
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let seconds = |name: &str| match claims.get(name) {
            None => Err(format!("{name} is missing")),
            Some(value) => value
                .as_u64()
                .ok_or_else(|| format!("{name} must be a whole number of seconds since 1970")),
        };
        let (issued_at, expires) = (seconds("iat")?, seconds("exp")?);
        if issued_at.abs_diff(now) > LEEWAY {
            return Err("iat must be within 60 s of the bank's time".into());
        }
        if expires <= now {
            return Err("it has expired: see exp".into());
        }
        let lifetime = expires.saturating_sub(issued_at);
        if lifetime == 0 || lifetime > self.longest_lifetime.as_secs() {
            let longest = self.longest_lifetime.as_secs();
            return Err(format!("exp must be at most {longest} s after iat"));
        }
        match claims.get("nbf") {
            None if self.needs_not_before => Err("nbf is missing".into()),
            None => Ok(()),
            Some(_) if seconds("nbf")? > now + LEEWAY => Err("it is not valid yet: see nbf".into()),
            Some(_) => Ok(()),
        }
    }

    /// By its `jti`.
    fn use_once(&self, claims: &Map<String, Value>) -> Result<(), ErrorAnswer> {
        let jti = claims
            .get("jti")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if jti.len() < 16 {
            return Err(self.denied("jti must be a text of 16 characters at least"));
        }
        let mut used = self.used.lock().unwrap_or_else(|it| it.into_inner());
        match used.insert(jti.to_owned()) {
            true => Ok(()),
            false => Err(ErrorAnswer::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "the assertion: its jti was used before",
            )),
        }
    }
}

/// What is expected is the test's own, and no secret.
fn wrong(name: &str, expected: Option<&str>) -> String {
    match expected {
        Some(expected) => format!("{name} must be {expected}"),
        None => format!("{name} must not be there"),
    }
}

fn only(members: &Map<String, Value>, own: &[&str], further: &[&str]) -> Verified {
    let is_known = |name: &str| own.contains(&name) || further.contains(&name);
    match members.keys().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(format!("{name} must not be there")),
    }
}
