//! Reads an answer of the token endpoint: a token, or a typed account of what was wrong with it.

use std::time::{Duration, SystemTime};

use http::{StatusCode, Uri, header::LOCATION};

use super::{
    dialect::Dialect, exchange::Answer, expiry::Clocks, failure, members::Members, retry_after,
    scrub::Scrubber,
};
use crate::{FetchError, Origin, Token, error::text};

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
            return Err(self.redirect(&answer));
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
        let code = members.text("error");
        let mut error = failure::denial(&self.dialect, answer.status, code);
        if let Some(code) = code {
            error = error.with_code(&self.scrubber.scrub_code(code));
        }
        if let Some(description) = members.text("error_description") {
            error = error.with_description(&self.scrubbed_line(description));
        }
        self.with_wait(error, answer, now)
    }

    /// Struck out once more in the visible line: with the invisible gone, a secret may stand there whole.
    fn scrubbed_line(&self, text: &str) -> String {
        let line = text::one_line(&self.scrubber.scrub(text));
        self.scrubber.scrub(&line)
    }

    fn with_wait(&self, error: FetchError, answer: &Answer, now: SystemTime) -> FetchError {
        let stated = retry_after::retry_after(&answer.headers, now);
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            return stated.into_iter().fold(error, FetchError::with_retry_after);
        }
        match stated.or(self.dialect.wait_after_429) {
            Some(wait) => error.with_retry_after(wait),
            None => error.not_within_flight(),
        }
    }

    /// A redirect is never followed; where it points to is shown as far as an origin goes.
    fn redirect(&self, answer: &Answer) -> FetchError {
        let location = answer.headers.get(LOCATION).and_then(|it| it.to_str().ok());
        let uri: Option<Uri> = location.and_then(|it| it.parse().ok());
        let what = match uri.as_ref().map(Origin::of) {
            Some(Ok(origin)) => {
                let origin = self.scrubber.scrub(&origin.to_string());
                format!("the answer is a redirect to {origin}, which is never followed")
            }
            _ => "the answer is a redirect, which is never followed".into(),
        };
        FetchError::malformed(what).with_advice(failure::CHECK_URL)
    }
}
