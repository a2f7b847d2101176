//! Reads an answer of the token endpoint: a token, or a typed account of what was wrong with it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{StatusCode, header::CONTENT_ENCODING};
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::{
    dialect::Dialect, exchange::Answer, expiry::Clocks, failure, retry_after, scrub::Scrubber,
};
use crate::{FetchError, Token, error::FetchErrorKind};

pub(super) struct Reader {
    pub(super) dialect: Dialect,
    pub(super) scrubber: Scrubber,
}

type Members = Map<String, Value>;

impl Reader {
    /// `now` is the wall clock just before the request was sent.
    pub(super) fn read(&self, answer: Answer, now: SystemTime) -> Result<Token, FetchError> {
        let status = answer.status;
        self.token(answer, now)
            .map_err(|error| error.with_status(status))
    }

    fn token(&self, mut answer: Answer, now: SystemTime) -> Result<Token, FetchError> {
        if answer.status.is_redirection() {
            return Err(FetchError::malformed(
                "the answer is a redirect, which is never followed; check the token URL",
            ));
        }
        let members = members(&mut answer);
        if !answer.status.is_success() {
            return Err(self.denial(&answer, &members.unwrap_or_default(), now));
        }
        let members = members?;
        if members.get("error").is_some_and(|error| !error.is_null()) {
            return Err(self.denial(&answer, &members, now));
        }
        self.issued(&answer, members, now)
    }

    fn issued(
        &self,
        answer: &Answer,
        mut members: Members,
        now: SystemTime,
    ) -> Result<Token, FetchError> {
        let fields = &self.dialect.response;
        let mut token = Token::new(take(&mut members, &fields.token)?);
        if let Some(lifetime) = self.lifetime(answer, &members, now)? {
            token = token.expires_in(lifetime);
        }
        for name in &fields.secondaries {
            token = token.secondary(name, take(&mut members, name)?);
        }
        Ok(token)
    }

    fn lifetime(
        &self,
        answer: &Answer,
        members: &Members,
        now: SystemTime,
    ) -> Result<Option<Duration>, FetchError> {
        let fields = &self.dialect.response;
        let stated = match members.get(&fields.expiry) {
            None | Some(Value::Null) => return Ok(self.dialect.default_lifetime),
            Some(stated) => stated,
        };
        let broken =
            |rule| FetchError::malformed(format!("the answer's `{}` {rule}", fields.expiry));
        let expiry = fields.expiry_format.read(stated).map_err(broken)?;
        let clocks = Clocks {
            local: now,
            remote: retry_after::date(&answer.headers),
        };
        if expiry.is_moment() && clocks.disagree() {
            tracing::warn!(
                provider = self.dialect.name,
                "the clocks of this machine and of the token endpoint differ by more than 5 minutes"
            );
        }
        let lifetime = clocks.lifetime(expiry).map_err(broken)?;
        let longest = self.dialect.max_lifetime.unwrap_or(Duration::MAX);
        Ok(Some(lifetime.min(longest)))
    }

    fn denial(&self, answer: &Answer, members: &Members, now: SystemTime) -> FetchError {
        let said = |name| members.get(name).and_then(Value::as_str);
        let class = failure::classify(&self.dialect.failures, answer.status, said("error"));
        let (kind, what) = match answer.status.is_server_error() {
            true => (
                FetchErrorKind::Unavailable,
                "the token endpoint is out of order",
            ),
            false => (FetchErrorKind::Denied, "the token endpoint refused"),
        };
        let mut error = FetchError::new(class, kind, what);
        if let Some(code) = said("error") {
            error = error.with_code(&self.scrubber.scrub(code));
        }
        if let Some(description) = said("error_description") {
            error = error.with_description(self.scrubber.scrub(description));
        }
        self.with_wait(error, answer, now)
    }

    fn with_wait(&self, error: FetchError, answer: &Answer, now: SystemTime) -> FetchError {
        let stated = retry_after::retry_after(&answer.headers, now);
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            return stated.into_iter().fold(error, FetchError::retry_after);
        }
        match stated.or(self.dialect.wait_after_429) {
            Some(wait) => error.retry_after(wait),
            None => error.not_within_flight(),
        }
    }
}

fn members(answer: &mut Answer) -> Result<Members, FetchError> {
    if is_compressed(answer) {
        return Err(FetchError::malformed(
            "the answer is compressed, which was not asked for",
        ));
    }
    let body = std::mem::replace(&mut answer.body, Ok(Bytes::new()))?;
    let members = parse(&body);
    wipe(body);
    members
}

fn is_compressed(answer: &Answer) -> bool {
    let encodings = answer.headers.get_all(CONTENT_ENCODING);
    encodings
        .iter()
        .any(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn parse(body: &[u8]) -> Result<Members, FetchError> {
    let text = body.trim_ascii();
    // The parser's own errors may quote what they stumbled over.
    let what = match serde_json::from_slice(text) {
        Ok(Value::Object(members)) => return Ok(members),
        Ok(_) => "the answer is JSON, but no object",
        Err(_) if text.is_empty() => "the answer is empty",
        Err(_) if text.starts_with(b"<") => "the answer is HTML or XML; check the token URL",
        Err(error) if error.is_eof() => "the answer breaks off",
        Err(_) => "the answer is not JSON",
    };
    Err(FetchError::malformed(what))
}

/// Zeroizes the bytes, if nobody else holds them.
fn wipe(body: Bytes) {
    if let Ok(mut own) = body.try_into_mut() {
        own.zeroize();
    }
}

fn take(members: &mut Members, name: &str) -> Result<String, FetchError> {
    let rule = match members.remove(name) {
        Some(Value::String(text)) if text.trim().is_empty() => "is empty",
        Some(Value::String(text)) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
            return Ok(text);
        }
        Some(Value::String(_)) => "holds bytes that no header may hold",
        Some(_) => "is not a string",
        None => "is missing",
    };
    Err(FetchError::malformed(format!(
        "the answer's `{name}` {rule}"
    )))
}
