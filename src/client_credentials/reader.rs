//! Reads an answer of the token endpoint: a token, or a typed account of what was wrong with it.

use std::time::{Duration, SystemTime};

use http::StatusCode;

use super::{
    dialect::Dialect, exchange::Answer, expiry::Clocks, failure, members::Members, retry_after,
    scrub::Scrubber,
};
use crate::{FetchError, Token, error::FetchErrorKind};

pub(super) struct Reader {
    pub(super) dialect: Dialect,
    pub(super) scrubber: Scrubber,
}

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
        let members = Members::of(&mut answer);
        if !answer.status.is_success() {
            return Err(self.denial(&answer, &members.unwrap_or_default(), now));
        }
        let members = members?;
        if members.get("error").is_some() {
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
        let mut token = Token::new(members.take(&fields.token)?);
        if let Some(lifetime) = self.lifetime(answer, &members, now)? {
            token = token.expires_in(lifetime);
        }
        for name in &fields.secondaries {
            token = token.secondary(name, members.take(name)?);
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
        let Some(stated) = members.get(&fields.expiry) else {
            if self.dialect.default_lifetime.is_none() {
                tracing::warn!(
                    provider = self.dialect.name,
                    field = fields.expiry,
                    "the answer does not say how long its token lives; the policy's default_lifetime counts"
                );
            }
            return Ok(self.dialect.default_lifetime);
        };
        let broken = |rule| {
            let what = format!("the answer's `{}` {rule}", fields.expiry);
            match rule {
                "is not above zero" | "has already passed" => FetchError::without_life(what),
                _ => FetchError::malformed(what),
            }
        };
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
        let code = members.text("error");
        let class = failure::classify(&self.dialect.failures, answer.status, code);
        let (kind, what) = match answer.status.is_server_error() {
            true => (
                FetchErrorKind::Unavailable,
                "the token endpoint is out of order",
            ),
            false => (FetchErrorKind::Denied, "the token endpoint refused"),
        };
        let mut error = FetchError::new(class, kind, what);
        if let Some(code) = code {
            error = error.with_code(&self.scrubber.scrub_code(code));
        }
        if let Some(description) = members.text("error_description") {
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
