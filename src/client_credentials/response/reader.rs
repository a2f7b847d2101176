//! Reads an answer of the token endpoint: a token, or a typed error.

mod lifetime;

use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::{StatusCode, Uri, header::LOCATION};

pub(in crate::client_credentials) use self::lifetime::Lifetimes;
use super::{
    answer::Answer,
    failure,
    json::Value,
    members::Members,
    retry_after::{self, Stated},
    scrub::Scrubber,
    skew,
};
use crate::{
    ClientSecret, FailureClass, FetchError, FetchErrorKind, Origin, Token,
    client_credentials::dialect::Dialect,
};

/// Types of token that need a new proof for each request. Any other type is ignored: servers write anything there.
const TYPES_THAT_NEED_A_PROOF: [&str; 3] = ["dpop", "mac", "pop"];

pub(in crate::client_credentials) struct Reader {
    /// The source's name, for logs.
    pub(super) name: Arc<str>,
    dialect: Arc<Dialect>,
    scrubber: Scrubber,
    lifetimes: Lifetimes,
    header_values: Vec<(String, ClientSecret)>,
    /// The scopes that were asked for.
    pub(super) scopes: Vec<String>,
}

/// The attempt whose answer is read.
#[derive(Clone, Copy)]
pub(in crate::client_credentials) struct Asked<'a> {
    /// The wall clock just before the request was sent.
    pub(in crate::client_credentials) at: SystemTime,
    /// Its number within the fetch.
    pub(in crate::client_credentials) attempt: u32,
    pub(in crate::client_credentials) warned: &'a Warned,
}

/// What a source has warned of: once is enough, whatever reader found it.
#[derive(Default)]
pub(in crate::client_credentials) struct Warned {
    /// White space around a token.
    pub(super) of_white_space: AtomicBool,
    /// Scopes that were not granted.
    pub(super) of_scopes: AtomicBool,
}

impl Reader {
    pub(in crate::client_credentials) fn new(
        name: Arc<str>,
        dialect: Arc<Dialect>,
        scrubber: Scrubber,
        lifetimes: Lifetimes,
        header_values: Vec<(String, ClientSecret)>,
        scopes: Vec<String>,
    ) -> Self {
        Self {
            name,
            dialect,
            scrubber,
            lifetimes,
            header_values,
            scopes,
        }
    }

    pub(in crate::client_credentials) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    pub(in crate::client_credentials) fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    pub(in crate::client_credentials) fn read(
        &self,
        mut answer: Answer,
        asked: Asked<'_>,
    ) -> Result<Token, FetchError> {
        self.token(&mut answer, asked).map_err(|error| {
            self.with_wait(error, &answer, asked.at)
                .with_status(answer.status)
        })
    }

    fn token(&self, answer: &mut Answer, asked: Asked<'_>) -> Result<Token, FetchError> {
        if let Some(error) = self.block(answer) {
            return Err(error);
        }
        if answer.status.is_redirection() {
            return Err(self.redirect(answer));
        }
        if answer.status.is_success() && self.dialect.response.in_headers {
            let members = Members::of_headers(&answer.headers);
            return self.issued(answer, &members, asked);
        }
        let members = Members::of(answer);
        if !answer.status.is_success() {
            return Err(self.denial(answer, &members.unwrap_or_default(), asked));
        }
        let members = members?;
        if members.says(&self.dialect.response.error) {
            return Err(self.denial(answer, &members, asked));
        }
        self.issued(answer, &members, asked)
    }

    fn issued(
        &self,
        answer: &Answer,
        members: &Members,
        asked: Asked<'_>,
    ) -> Result<Token, FetchError> {
        let fields = &self.dialect.response;
        let name = first_there(members, &fields.token, &fields.other_token);
        let text = |name| self.header_text(members, name, asked.warned);
        let value = text(name)?;
        check_type(members)?;
        self.warn_of_missing_scopes(members, asked.warned);
        let lifetime = self.lifetime(answer, members, asked.at, &value)?;
        let mut token = Token::new(value);
        if let Some(lifetime) = lifetime {
            token = token.with_lifetime(lifetime);
        }
        for name in &fields.extras {
            token = token.with_extra(name, text(name)?);
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
    fn header_text(
        &self,
        members: &Members,
        name: &str,
        warned: &Warned,
    ) -> Result<String, FetchError> {
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
        if trimmed.len() < text.len() && !warned.of_white_space.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                provider = &*self.name,
                field = name,
                "the answer's token has white space or a line break at an end, which is cut off"
            );
        }
        Ok(trimmed.to_owned())
    }

    fn denial(&self, answer: &Answer, members: &Members, asked: Asked<'_>) -> FetchError {
        let fields = &self.dialect.response;
        let scrubber = self.scrubber.with(answer.assertion.clone());
        let code = members.code(&fields.error);
        let code = code.as_deref().map(|code| code.trim());
        let mut error = failure::denial(&self.dialect, answer.status, code, asked.attempt);
        if let Some(code) = code {
            error = error.with_code(&scrubber.scrub_code(code));
        }
        if let Some(description) = members.text(&fields.error_description) {
            error = error.with_description(&scrubber.scrub_line(&description));
        }
        skew::blame_clock(error, &self.dialect, answer, asked.at, code)
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
                    provider = &*self.name,
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
