//! Reads an answer of the token endpoint: a token, or a typed error.

use std::{
    iter,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use http::{StatusCode, Uri, header::LOCATION};

use super::{
    answer::Answer,
    expiry::{self, Clocks, Expiry, NoLifetime},
    failure,
    granted::AskedScopes,
    json::Value,
    members::Members,
    retry_after::{self, Stated},
    scrub::Scrubber,
    skew,
};
use crate::{
    ClientSecret, FailureClass, FetchError, FetchErrorKind, Origin, Token,
    client_credentials::dialect::{Dialect, ExpiryFormat},
};

/// Types of token that need a new proof for each request. Any other type is ignored: servers write anything there.
const TYPES_THAT_NEED_A_PROOF: [&str; 3] = ["dpop", "mac", "pop"];

pub(in crate::client_credentials) struct Reader {
    dialect: Dialect,
    scrubber: Scrubber,
    lifetimes: Lifetimes,
    /// Whether a warning about white space around a token was logged: one is enough.
    has_trimmed: AtomicBool,
    header_values: Vec<(String, ClientSecret)>,
    scopes: AskedScopes,
}

/// The lifetime that a fetcher sets if the answer states none, and the longest that it accepts. In a source that the
/// builder makes both are `None`: the source's policy holds the dialect's numbers and the user's changes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::client_credentials) struct Lifetimes {
    pub(in crate::client_credentials) default: Option<Duration>,
    pub(in crate::client_credentials) max: Option<Duration>,
}

impl Reader {
    pub(in crate::client_credentials) fn new(
        dialect: Dialect,
        scrubber: Scrubber,
        lifetimes: Lifetimes,
        header_values: Vec<(String, ClientSecret)>,
        scopes: &[String],
    ) -> Self {
        Self {
            dialect,
            scrubber,
            lifetimes,
            has_trimmed: AtomicBool::new(false),
            header_values,
            scopes: AskedScopes::new(scopes),
        }
    }

    pub(in crate::client_credentials) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    pub(in crate::client_credentials) fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// `now` is the wall clock just before the request was sent.
    pub(in crate::client_credentials) fn read(
        &self,
        mut answer: Answer,
        now: SystemTime,
        attempt: u32,
    ) -> Result<Token, FetchError> {
        self.token(&mut answer, now, attempt).map_err(|error| {
            self.with_wait(error, &answer, now)
                .with_status(answer.status)
        })
    }

    fn token(
        &self,
        answer: &mut Answer,
        now: SystemTime,
        attempt: u32,
    ) -> Result<Token, FetchError> {
        if let Some(error) = self.block(answer) {
            return Err(error);
        }
        if answer.status.is_redirection() {
            return Err(self.redirect(answer));
        }
        if answer.status.is_success() && self.dialect.response.in_headers {
            let members = Members::of_headers(&answer.headers);
            return self.issued(answer, &members, now);
        }
        let members = Members::of(answer);
        if !answer.status.is_success() {
            return Err(self.denial(answer, &members.unwrap_or_default(), now, attempt));
        }
        let members = members?;
        if members.says(&self.dialect.response.error) {
            return Err(self.denial(answer, &members, now, attempt));
        }
        self.issued(answer, &members, now)
    }

    fn issued(
        &self,
        answer: &Answer,
        members: &Members,
        now: SystemTime,
    ) -> Result<Token, FetchError> {
        let fields = &self.dialect.response;
        let name = first_there(members, &fields.token, &fields.other_token);
        let value = self.header_text(members, name)?;
        check_type(members)?;
        self.scopes.compare(&self.dialect.name, members);
        let lifetime = self.lifetime(answer, members, now, &value)?;
        let mut token = Token::new(value);
        if let Some(lifetime) = lifetime {
            token = token.with_lifetime(lifetime);
        }
        for name in &fields.extras {
            token = token.with_extra(name, self.header_text(members, name)?);
        }
        for (name, value) in &self.header_values {
            token = token.with_extra(name, value.expose());
        }
        Ok(token)
    }

    /// The error for a status that says "blocked".
    fn block(&self, answer: &Answer) -> Option<FetchError> {
        let blocked = self.dialect.blocked.as_ref()?;
        let is_blocked = blocked.statuses.contains(&answer.status.as_u16());
        let error = FetchError::new(
            FailureClass::Unclear,
            FetchErrorKind::Denied,
            "token request denied: the token endpoint blocks this client or address",
        );
        let error =
            error.with_advice("Look for other processes that use the same client id or address");
        is_blocked.then(|| error.with_retry_after(blocked.wait))
    }

    /// A string that a header can carry.
    fn header_text(&self, members: &Members, name: &str) -> Result<String, FetchError> {
        let broken = |rule| FetchError::malformed(format!("the answer's `{name}` {rule}"));
        let text = match members.any(name) {
            Some(Value::Text(text)) => text,
            Some(_) => return Err(broken("is not a string")),
            None => return Err(broken("is missing")),
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(broken("is empty"));
        }
        if !trimmed.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(broken("holds bytes that no header may hold"));
        }
        if trimmed.len() < text.len() && !self.has_trimmed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                provider = self.dialect.name,
                field = name,
                "the answer's token has white space or a line break at an end, which is cut off"
            );
        }
        Ok(trimmed.to_owned())
    }

    fn lifetime(
        &self,
        answer: &Answer,
        members: &Members,
        now: SystemTime,
        token: &str,
    ) -> Result<Option<Duration>, FetchError> {
        let fields = &self.dialect.response;
        if fields.expiry_format == ExpiryFormat::Ignored {
            return Ok(self.lifetimes.default);
        }
        if fields.expiry_format == ExpiryFormat::Jwt {
            return self.jwt_lifetime(answer, now, token);
        }
        let name = first_there(members, &fields.expiry, &fields.other_expiry);
        let Some(stated) = members.get(name) else {
            self.warn_of_no_expiry();
            return Ok(self.lifetimes.default);
        };
        match self.stated_lifetime(&stated, answer, now) {
            Ok(lifetime) => Ok(Some(lifetime.min(self.lifetimes.max.unwrap_or(lifetime)))),
            Err(NoLifetime::Unreadable) => {
                self.warn_of_unreadable_expiry(&stated);
                Ok(self.lifetimes.default)
            }
            Err(NoLifetime::Over(rule)) => Err(FetchError::without_life(format!(
                "the answer's `{}` {rule}; if the server means that its tokens never end, set \
                 `response.expiry_format` to \"ignored\" and a `default_lifetime`",
                fields.expiry
            ))),
        }
    }

    fn stated_lifetime(
        &self,
        stated: &Value<'_>,
        answer: &Answer,
        now: SystemTime,
    ) -> Result<Duration, NoLifetime> {
        let expiry = self.dialect.response.expiry_format.read(stated)?;
        self.lifetime_of(expiry, answer, now)
    }

    /// By the token's own claim.
    fn jwt_lifetime(
        &self,
        answer: &Answer,
        now: SystemTime,
        token: &str,
    ) -> Result<Option<Duration>, FetchError> {
        let lifetime = expiry::of_jwt(token).and_then(|it| self.lifetime_of(it, answer, now));
        match lifetime {
            Ok(lifetime) => Ok(Some(lifetime.min(self.lifetimes.max.unwrap_or(lifetime)))),
            Err(NoLifetime::Over(rule)) => {
                let what = format!("the token's claim `exp` {rule}");
                Err(FetchError::without_life(what))
            }
            Err(NoLifetime::Unreadable) => {
                tracing::warn!(
                    provider = self.dialect.name,
                    "the token is no JWT with a claim `exp`; it is used for default_lifetime"
                );
                Ok(self.lifetimes.default)
            }
        }
    }

    fn lifetime_of(
        &self,
        expiry: Expiry,
        answer: &Answer,
        now: SystemTime,
    ) -> Result<Duration, NoLifetime> {
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
        clocks.lifetime(expiry)
    }

    fn warn_of_no_expiry(&self) {
        if self.dialect.default_lifetime.is_none() {
            tracing::warn!(
                provider = self.dialect.name,
                field = self.dialect.response.expiry,
                set = "`response.expiry`, if another member says it; else `default_lifetime`",
                "the answer does not say how long its token lives; the policy's default_lifetime counts"
            );
        }
    }

    fn warn_of_unreadable_expiry(&self, stated: &Value<'_>) {
        tracing::warn!(
            provider = self.dialect.name,
            field = self.dialect.response.expiry,
            shape = &*stated.shape(),
            set = expiry::remedy(stated),
            "the answer's expiry cannot be read; the token is used for default_lifetime"
        );
    }

    fn denial(
        &self,
        answer: &Answer,
        members: &Members,
        now: SystemTime,
        attempt: u32,
    ) -> FetchError {
        let fields = &self.dialect.response;
        let scrubber = self.scrubber.with(answer.assertion.clone());
        let code = members.code(&fields.error);
        let code = code.as_deref().map(|code| code.trim());
        let mut error = failure::denial(&self.dialect, answer.status, code, attempt);
        if let Some(code) = code {
            error = error.with_code(&scrubber.scrub_code(code));
        }
        if let Some(description) = members.text(&fields.error_description) {
            error = error.with_description(&scrubber.scrub_line(&description));
        }
        skew::said(error, &self.dialect, answer, now, code)
    }

    /// Adds the wait that the server asks for, whatever is wrong with its answer: a page that says "under maintenance"
    /// may have any status. A token without life is no failure of the server's, and its next one is near.
    fn with_wait(&self, error: FetchError, answer: &Answer, now: SystemTime) -> FetchError {
        if error.is_without_life() {
            return error;
        }
        let stated = self.stated_wait(answer, now);
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            return stated.into_iter().fold(error, FetchError::with_retry_after);
        }
        match stated.or(self.dialect.wait_after_429) {
            Some(wait) => error.with_retry_after(wait),
            None => error.not_within_fetch(),
        }
    }

    /// A redirect is never followed. The error shows the origin of its target and nothing more.
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

    fn stated_wait(&self, answer: &Answer, now: SystemTime) -> Option<Duration> {
        match retry_after::retry_after(&answer.headers, now)? {
            Stated::Wait(wait) => Some(wait),
            Stated::Unreadable { length } => {
                tracing::warn!(
                    provider = self.dialect.name,
                    status = answer.status.as_u16(),
                    length,
                    "the answer's `Retry-After` is neither a number of seconds nor an HTTP date, and is ignored"
                );
                None
            }
        }
    }
}

/// The first of a member's names that the answer has, else its first.
fn first_there<'a>(members: &Members, name: &'a String, others: &'a [String]) -> &'a str {
    let mut names = iter::once(name).chain(others);
    names.find(|it| members.get(it).is_some()).unwrap_or(name)
}

fn check_type(members: &Members) -> Result<(), FetchError> {
    let stated = members.text("token_type").unwrap_or_default();
    let stated = stated.trim();
    let known = TYPES_THAT_NEED_A_PROOF
        .iter()
        .find(|it| it.eq_ignore_ascii_case(stated));
    match known {
        None => Ok(()),
        Some(known) => Err(FetchError::new(
            FailureClass::Permanent,
            FetchErrorKind::Malformed,
            format!(
                "the answer's `token_type` is `{known}`: such a token needs a proof with every request, which this \
                 crate cannot make; ask the bank for bearer tokens"
            ),
        )),
    }
}
